import { Prng } from "../machine/prng.ts";
import { DISABLED, type System, TAKEN } from "./system.ts";

/** How a walk decides who goes next. */
export type Walker =
  /** Each choice of a state is as likely as any other. */
  | { readonly kind: "uniform" }
  /**
   * Probabilistic concurrency testing: every actor has a priority, the highest that can go on goes on, and at
   * `changes` steps chosen beforehand the running actor falls below all others. A mistake that needs d orderings is
   * found with probability 1 / (n k^(d-1)) at least, n actors, k steps, with d - 1 changes.
   *
   * @source Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized Scheduler with Probabilistic Guarantees of
   *   Finding Bugs, ASPLOS 2010
   */
  | { readonly kind: "pct"; readonly changes: number };

export interface WalkOptions {
  readonly walker?: Walker;
  /** Walk `seed` is always the same walk; walks firstSeed to firstSeed + walks - 1 are taken. */
  readonly firstSeed: number;
  readonly walks: number;
  /** A walk ends after so many steps, at rest, or at a violation. */
  readonly steps: number;
  /** Whether the first walk that meets a violation is the last. */
  readonly stop?: boolean;
  /** Called after each walk. @returns false to end here */
  readonly between?: (walks: number, steps: number) => boolean;
}

export interface WalkViolation {
  readonly violation: number;
  readonly seed: number;
  readonly path: readonly number[];
  readonly atRest: boolean;
}

export interface WalkResult {
  readonly walks: number;
  readonly steps: number;
  /** Walks that came to rest. */
  readonly rested: number;
  /** The first walk, by seed, that met each violation. */
  readonly violations: readonly WalkViolation[];
  readonly goals: Uint32Array;
}

/** Most actors that PCT tells apart. */
const MOST_ACTORS = 256;

/** Takes walks through a system, each decided by one seed. */
class Walk {
  readonly path: number[] = [];
  rested = false;
  private readonly system: System;
  private readonly walker: Walker;
  private readonly length: number;
  private readonly start: Uint8Array;
  private readonly startLength: number;
  private readonly here: Uint8Array;
  private readonly untried = new Uint16Array(2 ** 16);
  private readonly priorities = new Float64Array(MOST_ACTORS);
  private readonly changeAt: Set<number> = new Set();
  private lowest = 0;
  private prng = new Prng(0);

  constructor(system: System, walker: Walker, length: number) {
    this.system = system;
    this.walker = walker;
    this.length = length;
    system.reset();
    this.start = new Uint8Array(system.stateBytes);
    this.startLength = system.save(this.start, 0);
    this.here = new Uint8Array(system.stateBytes);
  }

  /** @returns the violation that ended the walk, or TAKEN */
  take(seed: number): number {
    const { system, path } = this;
    system.restore(this.start, 0, this.startLength);
    path.length = 0;
    this.rested = false;
    this.prng = new Prng(seed);
    if (this.walker.kind === "pct") this.drawPriorities(this.walker.changes);
    for (let step = 0; step < this.length; step++) {
      const result = this.step(step);
      if (result === DISABLED) {
        this.rested = true;
        return system.atRest();
      }
      if (result !== TAKEN) return result;
    }
    return TAKEN;
  }

  /** @returns DISABLED if nothing can be taken */
  private step(step: number): number {
    const { system, here, untried, path } = this;
    let left = system.choices();
    if (left === 0) return DISABLED;
    const length = system.save(here, 0);
    for (let choice = 0; choice < left; choice++) untried[choice] = choice;
    if (this.changeAt.has(step)) this.fall(left);
    while (left > 0) {
      const place = this.walker.kind === "pct" ? this.highest(left) : this.prng.below(left);
      const choice = untried[place]!;
      const result = system.choose(choice);
      if (result !== DISABLED) {
        system.meet?.();
        path.push(choice);
        return result;
      }
      system.restore(here, 0, length);
      untried[place] = untried[--left]!;
    }
    return DISABLED;
  }

  private drawPriorities(changes: number): void {
    const { priorities, prng, changeAt, length } = this;
    for (let actor = 0; actor < MOST_ACTORS; actor++) priorities[actor] = 1 + prng.next();
    this.lowest = 0;
    changeAt.clear();
    while (changeAt.size < Math.min(changes, length)) changeAt.add(prng.below(length));
  }

  /** Place of a choice whose actor has the highest priority, any of the actor's choices. */
  private highest(count: number): number {
    const { system, priorities, untried, prng } = this;
    let highest = Number.NEGATIVE_INFINITY;
    let place = 0;
    let level = 0;
    for (let at = 0; at < count; at++) {
      const priority = priorities[system.actor(untried[at]!)]!;
      if (priority < highest) continue;
      level = priority > highest ? 1 : level + 1;
      highest = priority;
      if (level === 1 || prng.below(level) === 0) place = at;
    }
    return place;
  }

  /** Whoever would go now falls below all others. */
  private fall(count: number): void {
    const actor = this.system.actor(this.untried[this.highest(count)]!);
    this.priorities[actor] = --this.lowest;
  }
}

/** Takes walks, one a seed. What a seed finds does not depend on the seeds before it. */
export const walkRandomly = (system: System, options: WalkOptions): WalkResult => {
  const { walker = { kind: "uniform" }, firstSeed, walks, steps: longest, between = () => true } = options;
  const walk = new Walk(system, walker, longest);
  const violations = new Map<number, WalkViolation>();
  let [taken, steps, rested] = [0, 0, 0];
  while (taken < walks) {
    const seed = firstSeed + taken++;
    const violation = walk.take(seed);
    steps += walk.path.length;
    if (walk.rested) rested++;
    if (violation !== TAKEN && !violations.has(violation))
      violations.set(violation, { violation, seed, path: [...walk.path], atRest: walk.rested });
    if (options.stop === true && violations.size > 0) break;
    if (!between(taken, steps)) break;
  }
  return { walks: taken, steps, rested, violations: [...violations.values()], goals: system.goals.slice() };
};
