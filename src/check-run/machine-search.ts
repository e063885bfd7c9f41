import { basename } from "node:path";
import { setImmediate } from "node:timers/promises";
import { DepthFirst } from "../check/depth-first.ts";
import type { MachineSearch } from "../check/machine/check-machine.ts";
import type { Knowledge } from "../check/machine/footprint.ts";
import type { MachineSystem } from "../check/machine/system.ts";
import type { Counts, Limits } from "../check/result.ts";
import { type FileKeep, keepInFile } from "./keep-in-file.ts";
import { heard, type KnownMachine } from "./known-machine.ts";
import { runSearch, TURN_MS } from "./run-search.ts";

/** Where the states of a machine's search are kept, and what was known of it when they were. */
export interface MachineKeep {
  readonly file: FileKeep;
  readonly knowledge: Knowledge | undefined;
  /** Of the search that goes on: it is noted with each checkpoint. */
  now: Knowledge | undefined;
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
  const knowledge: Knowledge | undefined = file.note === undefined ? undefined : JSON.parse(file.note);
  const keep: MachineKeep = { file, knowledge, now: knowledge };
  return keep;
};

export interface MachineSearchOptions {
  readonly threads: number;
  /** States that one thread meets before the others begin. */
  readonly alone?: number;
  readonly limits: Limits;
  readonly exact?: boolean;
  readonly partialOrder?: boolean;
  readonly seed?: number;
  readonly progress?: (counts: Counts) => boolean | Promise<boolean>;
  readonly keep?: MachineKeep | undefined;
  /** Module that serves machines in a thread; this program's own if absent. */
  readonly module?: URL;
}

/** Starting a thread takes as long as some thousand states. */
const ALONE = 5000;

/** Breadth first over a machine, on one thread or several, from a checkpoint if there is one. */
export const machineSearch = (options: MachineSearchOptions): MachineSearch => {
  const { keep, alone = ALONE, ...search } = options;
  let resume = keep?.file.resume;
  return async (system: MachineSystem) => {
    const { configuration, knowledge } = system;
    const kept = keep && { ...keep.file, resume };
    if (keep !== undefined) keep.now = knowledge;
    // If it is called again, more is known to change than was saved in the checkpoint.
    resume = undefined;
    // A file of its own, so that a thread loads no more than it needs.
    const module = options.module ?? (await import("./machine-thread.ts")).MACHINE_THREAD;
    const machine: KnownMachine = { configuration, knowledge };
    return runSearch<KnownMachine>({
      ...search,
      ...{ open: () => system, configuration: machine, heard, alone },
      ...(module && { module }),
      ...(kept && { keep: kept }),
    });
  };
};

/** Depth first over a machine: it keeps the states of one story only, and tells stories that are not the shortest. */
export const machineDive =
  ({ limits, exact, seed, progress = () => true }: Omit<MachineSearchOptions, "threads">): MachineSearch =>
  async (system) => {
    let turnEnds = 0;
    const search = new DepthFirst(system, {
      ...{ limits, between: () => Date.now() < turnEnds },
      ...(exact !== undefined && { exact }),
      ...(seed !== undefined && { seed }),
    });
    for (;;) {
      turnEnds = Date.now() + TURN_MS;
      const result = search.run();
      if (result.end !== "interrupted" || !(await progress(result))) return result;
      await setImmediate();
    }
  };
