import { existsSync, rmSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { BreadthFirst } from "../check/breadth-first.ts";
import type { Checkpoint } from "../check/checkpoint.ts";
import type { AfterViolation } from "../check/expander.ts";
import type { Counts, Limits, SearchResult } from "../check/result.ts";
import type { OpenSystem } from "../check/system.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint-file.ts";
import { searchInParallel } from "./parallel-search.ts";

export interface RunOptions<Configuration> {
  readonly open: OpenSystem<Configuration>;
  /** Plain JSON. */
  readonly configuration: Configuration;
  /** Module that serves the same system in a thread. It is needed for more than one. */
  readonly module?: URL;
  readonly threads?: number;
  readonly after?: AfterViolation;
  readonly partialOrder?: boolean;
  readonly exact?: boolean;
  readonly seed?: number;
  readonly limits?: Limits;
  /** Called some times a second. @returns false to end the search here */
  readonly progress?: (counts: Counts) => boolean;
  readonly checkpoint?: {
    readonly path: string;
    readonly everyMs: number;
    /** Of the program: another one counts otherwise. */
    readonly version: string;
  };
}

/** Milliseconds of work between two looks at what happens outside. */
const TURN_MS = 100;

const identityOf = <C>(options: RunOptions<C>): string => {
  const { configuration, threads = 1, after = "stop", partialOrder = false, seed = 0, checkpoint } = options;
  const kind = threads > 1 ? "threads" : "thread";
  return JSON.stringify({ version: checkpoint?.version, kind, configuration, after, partialOrder, seed });
};

/** What keeps a search's checkpoints, as far as it is asked to. */
class Keeper<C> {
  readonly resume: Checkpoint | undefined;
  private readonly identity: string;
  private readonly options: RunOptions<C>;
  private kept = Date.now();

  constructor(options: RunOptions<C>) {
    const { checkpoint } = options;
    this.options = options;
    this.identity = identityOf(options);
    const there = checkpoint !== undefined && existsSync(checkpoint.path);
    this.resume = there ? readCheckpoint(checkpoint.path, this.identity) : undefined;
  }

  get isDue(): boolean {
    const { checkpoint } = this.options;
    return checkpoint !== undefined && Date.now() - this.kept >= checkpoint.everyMs;
  }

  write(checkpoint: Checkpoint): void {
    if (this.options.checkpoint === undefined) return;
    writeCheckpoint(this.options.checkpoint.path, this.identity, checkpoint);
    this.kept = Date.now();
  }

  /** A search that is complete leaves none behind. */
  remove(): void {
    if (this.options.checkpoint !== undefined) rmSync(this.options.checkpoint.path, { force: true });
  }
}

const onOneThread = async <C>(options: RunOptions<C>, keeper: Keeper<C>): Promise<SearchResult> => {
  const { open, configuration, progress = () => true, limits = {} } = options;
  let turnEnds = 0;
  const between = () => Date.now() < turnEnds;
  const search = new BreadthFirst(open(configuration), { ...options, between });
  if (keeper.resume === undefined) search.begin();
  else search.resume(keeper.resume);
  for (;;) {
    turnEnds = Date.now() + TURN_MS;
    const result = search.run(limits);
    const stopped = result.end !== "interrupted" || !progress(result);
    if (stopped && result.end === "complete") keeper.remove();
    else if (options.exact !== true && (stopped || keeper.isDue)) keeper.write(search.capture());
    if (stopped) return result;
    await setImmediate();
  }
};

/** What one thread tells of the violations that several have met. */
const storiesOf = <C>(options: RunOptions<C>, depth: number): SearchResult["violations"] => {
  const search = new BreadthFirst(options.open(options.configuration), {
    ...options,
    limits: { depth: depth + 1 },
  });
  search.begin();
  return search.run().violations;
};

const onThreads = async <C>(
  options: RunOptions<C>,
  module: URL,
  keeper: Keeper<C>,
): Promise<SearchResult> => {
  const { threads = 1, checkpoint, progress, limits } = options;
  const found = await searchInParallel({
    ...options,
    ...{ module, threads, limits: limits ?? {} },
    ...(progress && { between: progress }),
    ...(checkpoint && { keep: { everyMs: checkpoint.everyMs, take: (kept) => keeper.write(kept) } }),
    ...(keeper.resume && { resume: keeper.resume }),
  });
  if (found.end === "complete") keeper.remove();
  return { ...found, violations: found.violations.length > 0 ? storiesOf(options, found.depth) : [] };
};

/**
 * Searches breadth first, on one thread or several, and goes on from a checkpoint if there is one.
 *
 * What is counted and told does not depend on the number of threads, nor on how often the search was interrupted:
 * violations met by several threads are told by a search on one, down to the depth at which they were met.
 *
 * @throws CheckpointError if the checkpoint is of another search, or cannot be read or written
 */
export const runSearch = async <C>(options: RunOptions<C>): Promise<SearchResult> => {
  const { threads = 1, module, exact = false } = options;
  const keeper = new Keeper(options);
  return threads > 1 && module !== undefined && !exact
    ? onThreads(options, module, keeper)
    : onOneThread(options, keeper);
};
