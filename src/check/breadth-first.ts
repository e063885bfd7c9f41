import { assert } from "../assert.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { ExactSet } from "./exact-set.ts";
import { type AfterViolation, Expander, type Found, REST } from "./expander.ts";
import { FingerprintSet } from "./fingerprint-set.ts";
import { Links, NO_PARENT } from "./links.ts";
import { type Counts, type End, type Limits, omissionProbability, type SearchResult } from "./result.ts";
import { FrontierWriter, type Segment } from "./segment.ts";
import type { System } from "./system.ts";
import type { OwnVisitedSet } from "./visited-set.ts";

export interface SearchOptions {
  readonly after?: AfterViolation;
  readonly limits?: Limits;
  /** Whether the system's ample choices are enough. */
  readonly partialOrder?: boolean;
  /** Whole keys are kept instead of fingerprints: no state is ever taken for another. */
  readonly exact?: boolean;
  /** Of the fingerprints. */
  readonly seed?: number;
  /** Called now and then. @returns false to end the search here */
  readonly between?: (counts: Counts) => boolean;
}

const UNBOUNDED = Number.POSITIVE_INFINITY;

/** Violations with their paths, shortest first. */
export const violationsOf = (
  found: Iterable<Found>,
  pathTo: (number: number) => readonly number[],
): SearchResult["violations"] =>
  [...found]
    .map(({ violation, parent, choice }) => {
      const path = pathTo(parent);
      return { violation, path: choice === REST ? path : [...path, choice], atRest: choice === REST };
    })
    .sort((a, b) => a.path.length - b.path.length || a.violation - b.violation);

/**
 * Every state in the order of its distance from the initial one, so that each violation has one of its shortest
 * stories. A level is expanded as a whole, also when a violation was met in it: counts do not depend on the order.
 */
export class BreadthFirst {
  private readonly system: System;
  private readonly options: SearchOptions;
  private readonly visited: OwnVisitedSet;
  private readonly links = new Links();
  private readonly frontier: FrontierWriter;
  private readonly expander: Expander;
  private level: Segment[] = [];
  private depth = 0;

  constructor(system: System, options: SearchOptions = {}) {
    const { after = "stop", partialOrder = false, exact = false, seed = 0 } = options;
    const { keyBytes } = system;
    system.boundMemory?.(options.limits?.bytes ?? UNBOUNDED);
    this.system = system;
    this.options = options;
    this.visited = exact
      ? new ExactSet({ keyBytes, levels: partialOrder })
      : new FingerprintSet({ keyBytes, seed, levels: partialOrder });
    this.frontier = new FrontierWriter(system.stateBytes, (bytes) => new ArrayBuffer(bytes));
    const { visited, links, frontier } = this;
    this.expander = new Expander({ system, visited, links, frontier, after, partialOrder });
  }

  /** Puts the initial state into the frontier. */
  begin(): void {
    this.system.reset();
    this.visited.add(this.system, 0);
    this.system.meet?.();
    this.frontier.append(this.system, this.links.add(NO_PARENT, 0));
    this.nextLevel();
  }

  /** All that it takes to go on elsewhere. Called before `run`, after it, or from `between`. */
  capture(): Checkpoint {
    const { visited, expander, frontier, links, system } = this;
    assert(visited instanceof FingerprintSet, "an exact search is not interrupted for a checkpoint");
    const { transitions, resting, expanded, deepest, found } = expander;
    const { appended, segments } = frontier;
    return {
      tallies: { states: visited.size, transitions, resting, expanded, appended, deepest },
      depth: this.depth,
      found: [...found.values()],
      goals: [...system.goals],
      ...visited.sections(),
      level: this.level.map(({ rest }) => rest),
      next: segments.map(({ rest }) => rest),
      links: links.sections(),
    };
  }

  /** Goes on where another search of the same system was captured, in place of `begin`. */
  resume({ tallies, depth, found, goals, table, levels, level, next, links }: Checkpoint): void {
    const { visited, expander, frontier, system } = this;
    assert(
      visited instanceof FingerprintSet && links !== undefined,
      "the checkpoint is one of such a search",
    );
    visited.load({ table, levels }, tallies.states);
    this.links.load(links);
    expander.load(tallies, found);
    frontier.appended = tallies.appended;
    this.depth = depth;
    this.level = level.map((records) => frontier.load(records));
    frontier.segments = next.map((records) => frontier.load(records));
    expander.level = depth + 1;
    goals.forEach((bits, word) => {
      system.goals[word]! |= bits;
    });
  }

  /** Goes on until something ends the search. It may be called again after that, with other limits. */
  run(limits: Limits = this.options.limits ?? {}): SearchResult {
    for (;;) {
      if (this.level.length > 0 && this.depth >= (limits.depth ?? UNBOUNDED)) return this.result("depth");
      const end = this.runLevel(limits);
      if (end !== undefined) return this.result(end);
      if (this.expander.found.size > 0 && (this.options.after ?? "stop") === "stop")
        return this.result("violation");
      if (this.frontier.segments.length === 0) return this.result("complete");
      this.depth++;
      this.nextLevel();
    }
  }

  /** Goes on until the end of the level in which this violation is met. @returns the path to it, if it is met */
  untilViolation(violation: number): readonly number[] | undefined {
    const { depth: deepest = UNBOUNDED, ...limits } = this.options.limits ?? {};
    let end: End = "depth";
    while (end === "depth" && this.depth <= deepest && !this.expander.found.has(violation))
      end = this.run({ ...limits, depth: this.depth + 1 }).end;
    const found = this.expander.found.get(violation);
    return found && violationsOf([found], (number) => this.links.pathTo(number))[0]!.path;
  }

  private nextLevel(): void {
    // The last one is expanded first: in this order stories do not depend on how many states a segment holds.
    this.level = this.frontier.take().reverse();
    this.expander.level = this.depth + 1;
  }

  private runLevel({ bytes = UNBOUNDED, states = UNBOUNDED }: Limits): End | undefined {
    const { between = () => true } = this.options;
    for (let segment = this.level.at(-1); segment !== undefined; segment = this.level.at(-1)) {
      while (!this.expander.expand(segment)) {
        if (this.visited.growthBytes + this.bytes > bytes) return "memory";
        this.visited.grow();
      }
      this.level.pop();
      this.frontier.recycle(segment);
      if (this.visited.size >= states) return "states";
      if (this.bytes > bytes) return "memory";
      if (!between(this.counts())) return "interrupted";
    }
    return undefined;
  }

  /** Bytes that each of its parts takes now; the system's own memory is beside them. */
  get memory(): { readonly visited: number; readonly links: number; readonly frontier: number } {
    return { visited: this.visited.bytes, links: this.links.bytes, frontier: this.frontier.bytes };
  }

  private get bytes(): number {
    const { visited, links, frontier, system } = this;
    return visited.bytes + links.bytes + frontier.bytes + (system.memoryBytes ?? 0);
  }

  counts(): Counts {
    const { transitions, resting, deepest, expanded } = this.expander;
    const states = this.visited.size;
    const frontier = this.frontier.appended - expanded;
    return { states, transitions, depth: deepest, resting, frontier, bytes: this.bytes };
  }

  private result(end: End): SearchResult {
    const counts = this.counts();
    return {
      ...counts,
      end,
      violations: violationsOf(this.expander.found.values(), (number) => this.links.pathTo(number)),
      goals: this.system.goals.slice(),
      omission: this.options.exact ? 0 : omissionProbability(counts.states),
    };
  }
}
