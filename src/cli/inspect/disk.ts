import { closeSync, type Dirent, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import type { Decode } from "../../artifacts/artifact-reading.ts";
import { describe, oneLine } from "../../scenario/scenario-error.ts";
import { UsageError } from "../exit-status.ts";

/** Bytes of a file that holds one value. */
export const LARGEST_VALUE = 4096;

/** UTF-8 whose characters may be cut between pieces. */
export const decoder = (): Decode => {
  const characters = new StringDecoder("utf8");
  return (bytes, last) => {
    const text = characters.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return last ? text + characters.end() : text;
  };
};

/** The start of a file that holds one value. */
export const readValue = (path: string): string => {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(LARGEST_VALUE);
    return bytes.subarray(0, readSync(fd, bytes, 0, LARGEST_VALUE, null)).toString("utf8");
  } finally {
    closeSync(fd);
  }
};

/** A folder that may not be read, or has gone since, has nothing for us. */
const entriesOf = (folder: string): Dirent[] => {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
};

/** Regular files below a folder, ascending; links are not followed, so nothing outside is read. */
export function* walk(root: string, below = ""): Generator<string> {
  for (const entry of entriesOf(join(root, below)).sort((a, b) =>
    a.name.localeCompare(b.name, "en", { numeric: true }),
  )) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* walk(root, path);
    else if (entry.isFile()) yield path;
  }
}

const REASONS: { readonly [code: string]: string } = {
  ENOENT: "is not there",
  EACCES: "may not be opened",
  EPERM: "may not be opened",
  ENOTDIR: "lies in no folder",
};

/** A file or folder that the system does not give, as the user is told of it. */
export const unreadable = (name: string, error: unknown): UsageError => {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const why = REASONS[code] ?? `cannot be read (${message})`;
  return new UsageError(oneLine(`${describe(name)}: expected a file or a folder, found one that ${why}`), {
    cause: error,
  });
};
