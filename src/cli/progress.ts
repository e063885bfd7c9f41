import { formatDuration } from "../scenario/quantity.ts";
import type { System } from "./system.ts";

/** Milliseconds before the first line of progress, and between two. */
const PATIENCE = 400;
const INTERVAL = 100;
/** Machine steps between two looks at the clock. */
const STRIDE = 1024;

/** One line that says how far a long run is. Nothing at all unless standard error is a terminal. */
export class Progress {
  private readonly system: System;
  private readonly shows: boolean;
  private nextAt: number;
  private shown = false;
  private events = 0;
  private doing = "";

  constructor(system: System) {
    this.system = system;
    const { TERM } = system.env;
    this.shows = system.stderr.isTerminal && TERM !== "dumb";
    this.nextAt = system.clock() + PATIENCE;
  }

  step(what: string): void {
    this.doing = what;
  }

  event(step: number, ns: number): void {
    this.events++;
    if (!this.shows || this.events % STRIDE !== 0) return;
    const now = this.system.clock();
    if (now < this.nextAt) return;
    this.nextAt = now + INTERVAL;
    this.show(`${this.doing}: ${step} steps, ${formatDuration(ns)} virtual`);
  }

  /** Says at once what is being done, for what takes long and has no steps. */
  say(what: string): void {
    this.doing = what;
    if (this.shows) this.show(what);
  }

  private show(line: string): void {
    this.shown = true;
    this.system.stderr.write(`\r\u001b[K${line.slice(0, (this.system.stderr.columns ?? 80) - 1)}`);
  }

  clear(): void {
    if (this.shown) this.system.stderr.write("\r\u001b[K");
    this.shown = false;
  }
}
