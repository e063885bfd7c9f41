import { existsSync, rmSync } from "node:fs";
import { readCheckpoint, writeCheckpoint } from "./checkpoint-file.ts";
import type { Keep } from "./run-search.ts";

/** A checkpoint that is kept in a file. */
export interface FileKeep extends Keep {
  /** What was noted with the checkpoint to go on from; undefined if there is none. */
  readonly note: string | undefined;
  /** The search is complete: nobody goes on from it any more. */
  remove(): void;
}

/**
 * Keeps a search's checkpoints in a file, and goes on from one that is there.
 *
 * @param noted what goes with each of them
 * @throws CheckpointError if it is one of another search, or cannot be read
 */
export const keepInFile = (
  path: string,
  identity: string,
  everyMs: number,
  noted: () => string = () => "",
): FileKeep => {
  const resume = existsSync(path) ? readCheckpoint(path, identity) : undefined;
  return {
    resume,
    note: resume?.note,
    everyMs,
    take: (checkpoint) => writeCheckpoint(path, identity, checkpoint, noted()),
    remove: () => rmSync(path, { force: true }),
  };
};
