import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * A file of the collection of real artifacts that lies beside the repository, and is not part of it.
 * A test that reads it runs with `it.skipIf(path === undefined)` and says so in its name.
 *
 * @returns the path, or undefined if the collection or the file is not there
 */
export const sharedData = (...parts: string[]): string | undefined => {
  const path = join(ROOT, "..", "shared", "data", ...parts);
  return existsSync(path) ? path : undefined;
};

/** Paths of the files of a folder of that collection whose names match; none if it is not there. */
export const sharedFiles = (folder: string, name: RegExp): string[] => {
  const path = sharedData(folder);
  if (path === undefined) return [];
  return readdirSync(path)
    .filter((file) => name.test(file))
    .sort()
    .map((file) => join(path, file));
};

/** A file of the repository's own data folder. */
export const ownData = (...parts: string[]): string => join(ROOT, "data", ...parts);
