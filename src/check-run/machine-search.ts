import { basename } from "node:path";
import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { assert } from "../assert.ts";
import { DepthFirst } from "../check/depth-first.ts";
import type { MachineResult, MachineSearch } from "../check/machine/check-machine.ts";
import type { Knowledge } from "../check/machine/memory/footprint.ts";
import { NO_REDUCTIONS, type Reductions } from "../check/machine/reductions/reductions.ts";
import type { MachineSystem } from "../check/machine/system.ts";
import type { Counts, Limits, Violation } from "../check/result.ts";
import { type FileKeep, keepInFile } from "./keep-in-file.ts";
import { heard, type KnownMachine } from "./known-machine.ts";
import { type RunOptions, runSearch, TURN_MS } from "./run-search.ts";

/** Where the states of a machine's search are kept, and what was known of it when they were. */
export interface MachineKeep {
  readonly file: FileKeep;
  readonly knowledge: Knowledge | undefined;
  /** Those that the states were saved with; undefined if there are none. */
  readonly reductions: Reductions | undefined;
  /** Of the search that goes on: it is noted with each checkpoint. */
  now: Note | undefined;
}

/** What a checkpoint says of the machine: without it its states cannot be restored. */
interface Note {
  readonly knowledge: Knowledge;
  readonly reductions: Reductions;
}

/** Names the program that searches, down to its last byte where it is bundled. Another one may count otherwise. */
export const programIdentity = (version: string): string =>
  import.meta.url.endsWith(".ts") ? `${version} from its sources` : `${version} ${basename(import.meta.url)}`;

/**
 * Keeps the checkpoints of a machine's search in a file.
 *
 * @throws CheckpointError if there is one of another search, or one that cannot be read
 */
export const keepMachine = (path: string, identity: string, everyMs: number): MachineKeep => {
  const file = keepInFile(path, identity, everyMs, () => JSON.stringify(keep.now));
  const now: Note | undefined = file.note === undefined ? undefined : JSON.parse(file.note);
  const keep: MachineKeep = { file, knowledge: now?.knowledge, reductions: now?.reductions, now };
  return keep;
};

export interface MachineSearchOptions {
  readonly threads: number;
  /** States that one thread meets before the others begin. */
  readonly alone?: number;
  readonly limits: Limits;
  readonly exact?: boolean;
  readonly seed?: number;
  readonly progress?: (counts: Counts) => boolean | Promise<boolean>;
  readonly keep?: MachineKeep | undefined;
  /** Module that serves machines in a thread; this program's own if absent. */
  readonly module?: URL;
  /** Left out: none. */
  readonly reductions?: Reductions;
}

/** Starting a thread takes as long as some thousand states. */
const ALONE = 5000;

/** The same violations, each step of their paths a choice of its own. */
const unfolded = (system: MachineSystem, violations: readonly Violation[]): Violation[] =>
  violations
    .map((one) => ({ ...one, path: system.unfolded(one.path) }))
    .sort((a, b) => a.path.length - b.path.length || a.violation - b.violation);

/**
 * Breadth first over a machine, on one thread or several, from a checkpoint if there is one. Reductions by disjoint steps are for
 * one thread, and have no checkpoints.
 */
export const machineSearch = (options: MachineSearchOptions): MachineSearch => {
  const { keep, alone = ALONE, reductions = NO_REDUCTIONS, ...search } = options;
  let resume = keep?.file.resume;
  // A saved state says nothing of what its key leaves out: with another symmetry it would be taken for another state.
  assert(
    keep?.reductions === undefined || isDeepStrictEqual(keep.reductions, reductions),
    "a search goes on with the reductions that its states were saved with",
  );
  return async (system: MachineSystem): Promise<MachineResult> => {
    const { configuration, knowledge } = system;
    const kept = keep && { ...keep.file, resume };
    if (keep !== undefined) keep.now = { knowledge, reductions };
    // If it is called again, more is known to change than was saved in the checkpoint.
    resume = undefined;
    // A file of its own, so that a thread loads no more than it needs.
    const module = options.module ?? (await import("./machine-thread.ts")).MACHINE_THREAD;
    const run = async (used: Reductions, more: Partial<RunOptions<KnownMachine>>) => {
      system.reduce(used);
      const machine: KnownMachine = { configuration, knowledge, reductions: used };
      const result = await runSearch<KnownMachine>({
        ...search,
        // What is known of steps is not shared.
        ...(used.disjoint === true && { threads: 1 }),
        ...{ open: () => system, configuration: machine, heard, alone },
        ...(module && { module }),
        ...more,
      });
      return { ...result, reductions: used };
    };
    let found = await run(reductions, { ...(kept && { keep: kept }) });
    if (reductions.disjoint === true) {
      system.verify();
      // Which steps a path passes over depends on what was known when it was found.
      if (found.violations.length > 0) found = await run({ ...reductions, disjoint: false }, {});
    }
    if (!reductions.partialOrder || found.violations.length === 0) return found;
    return shortestOf(system, found, run);
  };
};

/**
 * With partial order a way to a violation may be longer than need be. So the search is made once more without, as deep as the
 * story that is known: what that finds is told, and its states are those that are counted.
 */
const shortestOf = async (
  system: MachineSystem,
  found: MachineResult & { readonly reductions: Reductions },
  run: (used: Reductions, more: { readonly limits: Limits }) => Promise<MachineResult>,
): Promise<MachineResult> => {
  const used = { ...found.reductions, partialOrder: false };
  system.reduce(used);
  const violations = unfolded(system, found.violations);
  const limits = { depth: violations[0]!.path.length + 1 };
  const again = await run(used, { limits });
  return again.violations.length > 0 ? again : { ...found, violations, shortest: false };
};

/** Depth first over a machine: it keeps the states of one story only, and tells stories that are not the shortest. */
export const machineDive =
  (options: Omit<MachineSearchOptions, "threads">): MachineSearch =>
  async (system) => {
    const { limits, exact, seed, progress = () => true } = options;
    const reductions = { ...(options.reductions ?? NO_REDUCTIONS), disjoint: false };
    let turnEnds = 0;
    system.reduce(reductions);
    const search = new DepthFirst(system, {
      ...{ limits, between: () => Date.now() < turnEnds },
      ...(exact !== undefined && { exact }),
      ...(seed !== undefined && { seed }),
    });
    for (;;) {
      turnEnds = Date.now() + TURN_MS;
      const result = search.run();
      if (result.end === "interrupted" && (await progress(result))) {
        await setImmediate();
        continue;
      }
      system.reduce(NO_REDUCTIONS);
      const told = reductions.partialOrder ? unfolded(system, result.violations) : result.violations;
      return { ...result, violations: told, reductions, shortest: told.length === 0 };
    }
  };
