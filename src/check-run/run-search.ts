import { setImmediate } from "node:timers/promises";
import { assert } from "../assert.ts";
import { BreadthFirst } from "../check/breadth-first.ts";
import type { Checkpoint } from "../check/checkpoint.ts";
import type { AfterViolation } from "../check/expander.ts";
import type { Counts, Limits, SearchResult } from "../check/result.ts";
import type { OpenSystem } from "../check/system.ts";
import { searchInParallel } from "./parallel-search.ts";

/** What keeps a search's checkpoints. */
export interface Keep {
  /** Where to go on. */
  readonly resume: Checkpoint | undefined;
  readonly everyMs: number;
  /** Called every `everyMs`, and at the end of a search that is not complete. */
  readonly take: (checkpoint: Checkpoint) => void;
}

export interface RunOptions<Configuration> {
  readonly open: OpenSystem<Configuration>;
  /** Plain JSON. */
  readonly configuration: Configuration;
  /** Module that serves the same system in a thread. It is needed for more than one. */
  readonly module?: URL;
  /** What is to be thrown for what such a thread told of an error. */
  readonly heard?: (told: unknown) => unknown;
  readonly threads?: number;
  /** States that one thread meets before the others begin: a small search is not worth starting them. */
  readonly alone?: number;
  readonly after?: AfterViolation;
  readonly partialOrder?: boolean;
  readonly exact?: boolean;
  readonly seed?: number;
  readonly limits?: Limits;
  /** Called some times a second. @returns false to end the search here */
  readonly progress?: (counts: Counts) => boolean | Promise<boolean>;
  readonly keep?: Keep;
}

/** Milliseconds of work between two looks at what happens outside. */
export const TURN_MS = 100;

/** How a search on one thread ended: the result, or where several threads are to go on. */
type Alone = { readonly result: SearchResult; readonly handOver?: never } | { readonly handOver: Checkpoint };

const onOneThread = async <C>(options: RunOptions<C>, most: number): Promise<Alone> => {
  const { open, configuration, progress = () => true, limits = {}, keep, exact = false } = options;
  let [turnEnds, looked] = [0, 1];
  // A short search ends within a turn: it is looked at whenever its states have doubled.
  const between = ({ states }: Counts) => Date.now() < turnEnds && states < Math.min(most, 2 * looked);
  const system = open(configuration);
  const search = new BreadthFirst(system, { ...options, between });
  if (keep?.resume === undefined) search.begin();
  else search.resume(keep.resume);
  for (let kept = Date.now(); ; ) {
    turnEnds = Date.now() + TURN_MS;
    const result = search.run(limits);
    looked = result.states;
    const stopped = result.end !== "interrupted" || !(await progress(result));
    if (!stopped && result.states >= most) {
      // The threads remember for themselves, and share what memory there is.
      system.boundMemory?.(0);
      return { handOver: search.capture() };
    }
    const due = keep !== undefined && (stopped || Date.now() - kept >= keep.everyMs);
    if (due && !exact && result.end !== "complete") {
      keep.take(search.capture());
      kept = Date.now();
    }
    if (stopped) return { result };
    await setImmediate();
  }
};

/** What one thread tells of the violations that several have met. */
const storiesOf = async <C>(options: RunOptions<C>, depth: number): Promise<SearchResult["violations"]> => {
  let turnEnds = 0;
  const search = new BreadthFirst(options.open(options.configuration), {
    ...options,
    limits: { depth: depth + 1 },
    between: () => Date.now() < turnEnds,
  });
  search.begin();
  for (;;) {
    turnEnds = Date.now() + TURN_MS;
    const { end, violations } = search.run();
    if (end !== "interrupted") return violations;
    await setImmediate();
  }
};

const onThreads = async <C>(
  options: RunOptions<C>,
  module: URL,
  resume: Checkpoint | undefined,
): Promise<SearchResult> => {
  const { threads = 1, keep, progress, limits = {}, heard } = options;
  const found = await searchInParallel({
    ...options,
    ...{ module, threads, limits },
    ...(progress && { between: progress }),
    ...(heard && { heard }),
    ...(keep && { keep }),
    ...(resume && { resume }),
  });
  return { ...found, violations: found.violations.length > 0 ? await storiesOf(options, found.depth) : [] };
};

/**
 * Searches breadth first, on one thread or several, and goes on from a checkpoint if there is one.
 *
 * What is counted and told does not depend on the number of threads, nor on how often the search was interrupted:
 * violations met by several threads are told by a search on one, down to the depth at which they were met.
 *
 * @throws what the system throws, and what `keep` throws
 */
export const runSearch = async <C>(options: RunOptions<C>): Promise<SearchResult> => {
  const { threads = 1, module, exact = false, alone = 0, keep } = options;
  const several = threads > 1 && module !== undefined && !exact;
  // What threads kept has no links: one thread cannot go on from it as if it were alone.
  const withoutLinks = keep?.resume !== undefined && keep.resume.links === undefined;
  if (module !== undefined && (withoutLinks || (several && alone === 0 && keep?.resume === undefined)))
    return onThreads(options, module, keep?.resume);
  const ended = await onOneThread(options, several ? alone : Number.POSITIVE_INFINITY);
  if ("result" in ended) return ended.result;
  assert(module !== undefined, "a search is handed over to threads that there can be");
  return onThreads(options, module, ended.handOver);
};
