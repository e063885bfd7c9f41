import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { draftWriter, readCheckpoint, writeCheckpoint } from "./checkpoint-file.ts";
import type { Keep } from "./run-search.ts";

/** A checkpoint that is kept in a file. */
export interface FileKeep extends Keep {
  /** What was noted with the checkpoint to go on from; undefined if there is none. */
  readonly note: string | undefined;
  /** The search is complete: nobody goes on from it any more. */
  remove(): void;
}

/** Whether a process of this machine lives. One that belongs to somebody else does. */
const lives = (writer: number): boolean => {
  try {
    return process.kill(writer, 0);
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
};

/** Takes away what processes that were killed while they wrote a checkpoint left beside it: each may be as large as that. */
const removeDrafts = (path: string): void => {
  const folder = dirname(path);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const writer = draftWriter(basename(path), name);
    if (writer !== undefined && !lives(writer)) rmSync(join(folder, name), { force: true });
  }
};

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
  removeDrafts(path);
  const resume = existsSync(path) ? readCheckpoint(path, identity) : undefined;
  return {
    resume,
    note: resume?.note,
    everyMs,
    take: (checkpoint) => writeCheckpoint(path, identity, checkpoint, noted()),
    remove: () => rmSync(path, { force: true }),
  };
};
