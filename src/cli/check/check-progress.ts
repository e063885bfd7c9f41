import { type Counts, omissionProbability } from "../../check/result.ts";
import { grouped } from "../../check/story/render-check.ts";
import type { Progress } from "../progress.ts";
import type { System } from "../system.ts";

const MIB = 2 ** 20;
/** Milliseconds between two lines. */
const INTERVAL = 200;

/** How far the search of one configuration is, as one line. */
export class CheckProgress {
  private readonly name: string;
  private anew = "";
  private readonly progress: Progress;
  private readonly system: System;
  /** When the first state of this search was counted: what came before has no rate. */
  private begun: { readonly at: number; readonly states: number } | undefined;
  private nextAt = 0;

  constructor(name: string, progress: Progress, system: System) {
    this.name = name;
    this.progress = progress;
    this.system = system;
    progress.say(`${name}: finding out what changes`);
  }

  /** More changes than was found out, and the search begins anew, with nothing counted. */
  beganAnew(): void {
    this.anew = ", begun anew";
    this.begun = undefined;
  }

  walked(walks: number, steps: number): void {
    this.progress.say(`${this.name}: ${grouped(walks)} walks, ${grouped(steps)} steps`);
  }

  graphed(states: number): void {
    this.progress.say(`${this.name}: ${grouped(states)} states and the steps between them`);
  }

  counted({ states, depth, frontier, bytes }: Counts): void {
    const now = this.system.clock();
    this.begun ??= { at: now, states };
    if (now < this.nextAt) return;
    this.nextAt = now + INTERVAL;
    const { begun } = this;
    const rate =
      now > begun.at ? `${grouped(Math.round(((states - begun.states) * 1000) / (now - begun.at)))}/s, ` : "";
    const collision = omissionProbability(states).toExponential(0);
    this.progress.say(
      `${this.name}${this.anew}: ${grouped(states)} states, ${rate}depth ${depth}, ${grouped(frontier)} to expand, ${Math.ceil(bytes / MIB)} MiB, collision ${collision}`,
    );
  }
}
