import { assert } from "../assert.ts";
import { BLOCKED, type Next } from "../flat/procedure.ts";
import { Prng } from "./prng.ts";

/** Something that takes steps: a kernel task, a vCPU thread of the VMM, a device's worker. */
export interface Actor {
  readonly name: string;
  /** Clock that its work is charged to: actors that share a physical thread share a clock. */
  readonly clock: number;
  /** Whether it has work and nothing outside its own procedure holds it back. */
  ready(): boolean;
  step(): Next;
}

/** Actors whose clocks are this close may run in either order; the seed decides. Nanoseconds. */
const WINDOW_NS = 500;

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Decides who takes the next step. Virtual time runs on several clocks; the actor whose clock is furthest
 * behind goes first, and among those about level the seed chooses. An actor that answered BLOCKED is not asked
 * again before somebody else has done a step that changed something.
 */
export class Scheduler {
  readonly actors: readonly Actor[];
  /** Nanoseconds of virtual time, by clock number. */
  readonly clocks: Float64Array;
  /** Value of `progress` at which the actor last answered BLOCKED; -1: it did not. */
  readonly blockedAt: Float64Array;
  /** Virtual time before which the actor sleeps, or infinity where no timer is set. */
  readonly timers: Float64Array;
  readonly prng: Prng;
  /** [0] steps that changed something, [1] steps taken, [2] time of the last change, [3] running actor. */
  readonly words = new Float64Array(4);
  private readonly near: Int32Array;

  constructor(actors: readonly Actor[], clocks: number, seed: number) {
    this.actors = actors;
    this.clocks = new Float64Array(clocks);
    this.blockedAt = new Float64Array(actors.length).fill(-1);
    this.timers = new Float64Array(actors.length).fill(NEVER);
    this.prng = new Prng(seed);
    this.near = new Int32Array(actors.length);
    for (const actor of actors) assert(actor.clock < clocks, `${actor.name} has a clock`);
  }

  get steps(): number {
    return this.words[1]!;
  }

  /** Number of the actor that took the last step. */
  get running(): number {
    return this.words[3]!;
  }

  /** Virtual time of the last change, nanoseconds. */
  get now(): number {
    return this.words[2]!;
  }

  /** Adds to the clock of the actor that is taking a step. */
  charge(ns: number): void {
    const clock = this.actors[this.words[3]!]!.clock;
    this.clocks[clock] = this.clocks[clock]! + ns;
  }

  /** Wakes every blocked actor: something changed from outside. */
  changed(): void {
    this.words[0]!++;
  }

  /** Lets actor `index` take one step. @returns what the step answered */
  stepActor(index: number): Next {
    const actor = this.actors[index]!;
    this.words[3] = index;
    this.words[1]!++;
    const waited = this.blockedAt[index]! >= 0;
    // Whoever waited for a change cannot have gone on before it happened.
    if (waited && this.clocks[actor.clock]! < this.words[2]!) this.clocks[actor.clock] = this.words[2]!;
    const next = actor.step();
    if (next === BLOCKED) this.blockedAt[index] = this.words[0]!;
    else {
      this.blockedAt[index] = -1;
      this.words[0]!++;
      if (this.clocks[actor.clock]! > this.words[2]!) this.words[2] = this.clocks[actor.clock]!;
    }
    return next;
  }

  /** The actor that goes next, or -1 if none can. Takes a random number only where there is a choice. */
  pick(): number {
    const { actors, clocks } = this;
    let earliest = NEVER;
    for (let index = 0; index < actors.length; index++) {
      if (!this.runnable(index)) continue;
      const time = clocks[actors[index]!.clock]!;
      if (time < earliest) earliest = time;
    }
    if (earliest === NEVER) return -1;
    let count = 0;
    for (let index = 0; index < actors.length; index++) {
      if (clocks[actors[index]!.clock]! <= earliest + WINDOW_NS && this.runnable(index))
        this.near[count++] = index;
    }
    return count === 1 ? this.near[0]! : this.near[this.prng.below(count)]!;
  }

  /** Earliest timer that is set, or infinity. */
  nextTimer(): number {
    let earliest = NEVER;
    for (const time of this.timers) if (time < earliest) earliest = time;
    return earliest;
  }

  /** Moves every clock to `time` where it is behind, as when all sleep until a timer fires. */
  sleepUntil(time: number): void {
    for (let clock = 0; clock < this.clocks.length; clock++)
      if (this.clocks[clock]! < time) this.clocks[clock] = time;
    if (this.words[2]! < time) this.words[2] = time;
    this.changed();
  }

  views(): ArrayBufferView[] {
    return [this.clocks, this.blockedAt, this.timers, this.prng.state, this.words];
  }

  private runnable(index: number): boolean {
    return this.blockedAt[index] !== this.words[0] && this.actors[index]!.ready();
  }
}
