import {
  accessSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LabError } from "../lab-error.ts";

const PREFIX = "tidemark-";
/** A file system in memory, where sparse files are cheap; not every machine has it. */
const MEMORY_FILE_SYSTEM = "/dev/shm";
/** Holds the number of the process that made the directory. */
const OWNER = "owner";

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
};

/** Removes what a killed process left behind. A directory without an owner is being made right now. */
const sweep = (parent: string): void => {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(parent, name);
    try {
      const owner = Number(readFileSync(join(path, OWNER), "utf8"));
      if (Number.isInteger(owner) && owner > 0 && !isAlive(owner)) rmSync(path, { recursive: true });
    } catch {
      // Somebody else's, or gone already.
    }
  }
};

/** Bytes of the longest path that a unix socket can have, and of what comes behind the folder. @source Linux unix(7) */
const LONGEST_SOCKET = 107;
const SOCKET_BYTES = "/tidemark-XXXXXX/console".length;

/** @throws LabError if the path of a socket in a work directory there would be too long */
const checkLength = (parent: string): void => {
  const most = LONGEST_SOCKET - SOCKET_BYTES;
  const bytes = Buffer.byteLength(parent);
  if (bytes > most)
    throw new LabError(
      `${parent} is too long for the sockets of a guest: expected at most ${most} bytes, found ${bytes}; set TMPDIR to a folder with a shorter path`,
    );
};

const make = (parent: string): string => {
  sweep(parent);
  const path = mkdtempSync(join(parent, PREFIX));
  writeFileSync(join(path, OWNER), String(process.pid));
  return path;
};

const isWritable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** Private directories of one machine: sockets and logs, and memory files, which lie in memory where there is room. */
export class WorkDirectory {
  readonly path: string;
  readonly ramPath: string;
  private readonly remove = (): void => {
    for (const path of new Set([this.path, this.ramPath])) rmSync(path, { recursive: true, force: true });
  };

  /** @throws LabError if no directory can be made */
  constructor() {
    try {
      checkLength(tmpdir());
      this.path = make(tmpdir());
      this.ramPath = isWritable(MEMORY_FILE_SYSTEM) ? make(MEMORY_FILE_SYSTEM) : this.path;
    } catch (cause) {
      if (cause instanceof LabError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new LabError(`no work directory can be made: ${why}; set TMPDIR to a folder with room`, {
        cause,
      });
    }
    process.once("exit", this.remove);
  }

  /** Removes everything. Harmless when done again. */
  close(): void {
    process.off("exit", this.remove);
    this.remove();
  }
}
