import { assert } from "../assert.ts";
import { ExactSet } from "./exact-set.ts";
import type { AfterViolation } from "./expander.ts";
import { FingerprintSet } from "./fingerprint-set.ts";
import { type Counts, type End, type Limits, omissionProbability, type SearchResult } from "./result.ts";
import { DISABLED, type System, TAKEN } from "./system.ts";
import type { OwnVisitedSet } from "./visited-set.ts";

export interface DepthFirstOptions {
  readonly after?: AfterViolation;
  /** `depth` is the length of the longest story that is tried. */
  readonly limits?: Limits;
  readonly seed?: number;
  /** Whole keys are kept instead of fingerprints: no state is ever taken for another. */
  readonly exact?: boolean;
  /** Called now and then. @returns false to end the search here */
  readonly between?: (counts: Counts) => boolean;
}

const UNBOUNDED = Number.POSITIVE_INFINITY;
/** States between two looks at the bounds. */
const LOOK_EVERY = 256;
const NONE = -1;

/** What is on the way: a saved state a step, and the choice that is tried next there. */
class Path {
  length = 0;
  bytes: Uint8Array;
  /** Index of the choice taken last at each step. */
  readonly taken: number[] = [];
  private readonly lengths: number[] = [];
  private readonly counts: number[] = [];
  private readonly some: boolean[] = [];
  private readonly stride: number;

  constructor(stateBytes: number) {
    this.stride = stateBytes;
    this.bytes = new Uint8Array(64 * stateBytes);
  }

  push(system: System): void {
    const depth = this.length++;
    if (this.length * this.stride > this.bytes.length) {
      const longer = new Uint8Array(2 * this.bytes.length);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.lengths[depth] = system.save(this.bytes, depth * this.stride);
    this.taken[depth] = NONE;
    this.counts[depth] = system.choices();
    this.some[depth] = false;
  }

  /** Goes on to the next choice of the last state. @returns its index, or NONE */
  nextChoice(): number {
    const top = this.length - 1;
    this.taken[top]!++;
    return this.taken[top]! < this.counts[top]! ? this.taken[top]! : NONE;
  }

  restoreTop(system: System): void {
    const top = this.length - 1;
    system.restore(this.bytes, top * this.stride, this.lengths[top]!);
  }

  noteTaken(): void {
    this.some[this.length - 1] = true;
  }

  get isStuck(): boolean {
    return !this.some[this.length - 1];
  }

  choices(): number[] {
    return this.taken.slice(0, this.length);
  }
}

/**
 * Every state, along one story as far as it goes before another is tried. It keeps the states of one story only,
 * so it needs less memory than breadth first where states are long; its stories are not the shortest.
 *
 * Bounded by depth, a state that is met again by a shorter way is gone on from again: within the bound nothing is
 * left out, and the choices taken from it count again.
 */
export class DepthFirst {
  private readonly system: System;
  private readonly options: DepthFirstOptions;
  private readonly visited: OwnVisitedSet;
  private readonly path: Path;
  private readonly found = new Map<number, { path: number[]; atRest: boolean }>();
  private readonly longest: number;
  private transitions = 0;
  private resting = 0;
  private deepest = 0;
  private cut = false;
  private begun = false;

  constructor(system: System, options: DepthFirstOptions = {}) {
    const { limits: { depth = UNBOUNDED } = {}, seed = 0, exact = false } = options;
    assert(depth === UNBOUNDED || depth < 2 ** 16, "a bounded depth is below 65,536");
    this.system = system;
    this.options = options;
    this.longest = depth;
    const { keyBytes } = system;
    system.boundMemory?.(options.limits?.bytes ?? UNBOUNDED);
    const levels = depth !== UNBOUNDED;
    this.visited = exact
      ? new ExactSet({ keyBytes, levels })
      : new FingerprintSet({ keyBytes, seed, levels });
    this.path = new Path(system.stateBytes);
  }

  /** Goes on until something ends the search. One that was interrupted goes on where it was. */
  run(): SearchResult {
    const { path } = this;
    const { after = "stop" } = this.options;
    if (!this.begun) this.begin();
    for (let steps = 1; path.length > 0; steps++) {
      this.step();
      if (after === "stop" && this.found.size > 0) return this.result("violation");
      if (steps % LOOK_EVERY === 0) {
        const end = this.bound();
        if (end !== undefined) return this.result(end);
      }
    }
    return this.result(this.cut ? "depth" : "complete");
  }

  private begin(): void {
    const { system, visited, path } = this;
    this.begun = true;
    system.reset();
    visited.add(system, 0);
    system.meet?.();
    path.push(system);
  }

  private step(): void {
    const { system, path } = this;
    const choice = path.nextChoice();
    path.restoreTop(system);
    if (choice === NONE) {
      if (path.isStuck) this.rest();
      path.length--;
      return;
    }
    // The index belongs to this state, and another was looked at since.
    system.choices();
    const result = system.choose(choice);
    if (result === DISABLED) return;
    path.noteTaken();
    this.transitions++;
    if (result !== TAKEN) this.note(result, false);
    const goesOn = result === TAKEN || this.options.after === "continue";
    if (this.isNew() && goesOn) this.deepen();
  }

  private isNew(): boolean {
    const { system, visited, path } = this;
    const depth = path.length;
    if (visited.crowded) visited.grow();
    const fresh = visited.add(system, depth);
    if (fresh) {
      this.deepest = Math.max(this.deepest, depth);
      system.meet?.();
    }
    if (fresh || this.longest === UNBOUNDED || visited.lastLevel <= depth) return fresh;
    visited.lowerLevel(depth);
    return true;
  }

  private deepen(): void {
    const { path, system } = this;
    if (path.length < this.longest) path.push(system);
    else this.cut = true;
  }

  private rest(): void {
    this.resting++;
    const result = this.system.atRest();
    if (result !== TAKEN) this.note(result, true);
  }

  private note(violation: number, atRest: boolean): void {
    const path = this.path.choices();
    if (atRest) path.pop();
    const known = this.found.get(violation);
    if (known === undefined || path.length < known.path.length) this.found.set(violation, { path, atRest });
  }

  private bound(): End | undefined {
    const { limits: { states = UNBOUNDED, bytes = UNBOUNDED } = {}, between = () => true } = this.options;
    const { visited } = this;
    if (visited.size >= states) return "states";
    const growth = visited.crowded ? visited.growthBytes : 0;
    if (this.bytes + growth > bytes) return "memory";
    return between(this.counts()) ? undefined : "interrupted";
  }

  private get bytes(): number {
    return this.visited.bytes + this.path.bytes.length + (this.system.memoryBytes ?? 0);
  }

  private counts(): Counts {
    const { transitions, resting, deepest: depth, visited, path, bytes } = this;
    return { states: visited.size, transitions, depth, resting, frontier: path.length, bytes };
  }

  private result(end: End): SearchResult {
    const counts = this.counts();
    const violations = [...this.found]
      .map(([violation, { path, atRest }]) => ({ violation, path, atRest }))
      .sort((a, b) => a.path.length - b.path.length || a.violation - b.violation);
    const omission = this.options.exact === true ? 0 : omissionProbability(counts.states);
    return { ...counts, end, violations, goals: this.system.goals.slice(), omission };
  }
}
