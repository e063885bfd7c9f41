import { assert } from "../assert.ts";
import { BLOCKED, type Next } from "../flat/procedure.ts";
import { Prng } from "./prng.ts";

/** Something that takes steps: a kernel task, a vCPU thread of the VMM, a device's worker. */
export interface Actor {
  readonly name: string;
  /** Clock that its work is charged to: actors that share a physical thread share a clock. */
  readonly clock: number;
  /** Whether it has no work at all; it is not asked before somebody wakes it. */
  readonly idle: boolean;
  /** Whether nothing outside its own procedure holds it back. */
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
  /** Actors that have work, in the order in which they got it. [0] of `activeCount` of them. */
  readonly active: Int32Array;
  readonly activeCount = new Int32Array(1);
  private readonly near: Int32Array;

  constructor(actors: readonly Actor[], clocks: number, seed: number) {
    this.actors = actors;
    this.clocks = new Float64Array(clocks);
    this.blockedAt = new Float64Array(actors.length).fill(-1);
    this.timers = new Float64Array(actors.length).fill(NEVER);
    this.prng = new Prng(seed);
    this.active = new Int32Array(actors.length);
    this.near = new Int32Array(actors.length);
    for (const actor of actors) assert(actor.clock < clocks, () => `${actor.name} has a clock`);
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

  /** Steps and time begin anew; what actors are doing is not touched. */
  restartTime(): void {
    this.clocks.fill(0);
    this.words[1] = 0;
    this.words[2] = 0;
  }

  /** The running step did the work of `steps` more. */
  tookSteps(steps: number): void {
    this.words[1]! += steps;
  }

  /** The running step did what so many more would have, each of which changed something. */
  skippedSteps(steps: number): void {
    this.words[0]! += steps;
    this.words[1]! += steps;
  }

  /** Adds to a clock from outside any step. */
  chargeClock(clock: number, ns: number): void {
    this.clocks[clock]! += ns;
    if (this.clocks[clock]! > this.words[2]!) this.words[2] = this.clocks[clock]!;
  }

  /** Wakes every blocked actor: something changed from outside. */
  changed(): void {
    this.words[0]!++;
  }

  /** An actor got work. No-op if it had some. */
  wake(index: number): void {
    const { active } = this;
    const count = this.activeCount[0]!;
    for (let place = 0; place < count; place++) if (active[place] === index) return;
    active[count] = index;
    this.activeCount[0] = count + 1;
    this.blockedAt[index] = -1;
    this.words[0]!++;
    const { clock } = this.actors[index]!;
    // Whoever gets work now does not start before now.
    if (this.clocks[clock]! < this.words[2]!) this.clocks[clock] = this.words[2]!;
  }

  /** Takes every actor that has become idle from outside off the list. */
  dropIdle(): void {
    const { active } = this;
    let kept = 0;
    for (let place = 0; place < this.activeCount[0]!; place++)
      if (!this.actors[active[place]!]!.idle) active[kept++] = active[place]!;
    this.activeCount[0] = kept;
    this.changed();
  }

  /** Lists the actors that have work anew, in the order of their numbers: what they do was written from outside. */
  relist(): void {
    const { actors, active } = this;
    let count = 0;
    for (let index = 0; index < actors.length; index++) if (!actors[index]!.idle) active[count++] = index;
    this.activeCount[0] = count;
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
    if (actor.idle) this.sleep(index);
    return next;
  }

  /** Takes an actor that has no work any more off the list, whose order stays. */
  private sleep(index: number): void {
    const { active } = this;
    const count = this.activeCount[0]!;
    let kept = 0;
    for (let place = 0; place < count; place++) if (active[place] !== index) active[kept++] = active[place]!;
    this.activeCount[0] = kept;
  }

  /** The actor that goes next, or -1 if none can. Takes a random number only where there is a choice. */
  pick(): number {
    const { actors, clocks, active, near } = this;
    const count = this.activeCount[0]!;
    if (count === 1) return this.canStep(active[0]!) ? active[0]! : -1;
    let earliest = NEVER;
    let runnable = 0;
    for (let place = 0; place < count; place++) {
      const index = active[place]!;
      if (!this.canStep(index)) continue;
      near[runnable++] = index;
      const time = clocks[actors[index]!.clock]!;
      if (time < earliest) earliest = time;
    }
    if (runnable <= 1) return runnable === 0 ? -1 : near[0]!;
    let level = 0;
    for (let place = 0; place < runnable; place++) {
      if (clocks[actors[near[place]!]!.clock]! <= earliest + WINDOW_NS) near[level++] = near[place]!;
    }
    return level === 1 ? near[0]! : near[this.prng.below(level)]!;
  }

  /** Whether something changed since the actor was blocked, and nothing outside it holds it back. */
  private canStep(index: number): boolean {
    return this.blockedAt[index] !== this.words[0] && this.actors[index]!.ready();
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
    return [
      this.clocks,
      this.blockedAt,
      this.timers,
      this.active,
      this.activeCount,
      this.prng.state,
      this.words,
    ];
  }
}
