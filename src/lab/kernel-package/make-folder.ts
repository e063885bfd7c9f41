import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

const codeOf = (error: unknown): unknown =>
  error instanceof Error && "code" in error ? error.code : undefined;

/** @returns why there is no folder now; undefined if there is one */
const tried = (path: string): unknown => {
  try {
    mkdirSync(path);
    return undefined;
  } catch (error) {
    const isThere = codeOf(error) === "EEXIST" && statSync(path).isDirectory();
    return isThere ? undefined : error;
  }
};

/**
 * Makes a folder, and those above it that are missing.
 *
 * Not by Node's own recursion, which tries for ever where a file system says ENOENT of a folder that could not be made, as /proc
 * does.
 *
 * @throws what the file system says
 */
export const makeFolder = (path: string): void => {
  let error = tried(path);
  if (codeOf(error) === "ENOENT" && dirname(path) !== path) {
    makeFolder(dirname(path));
    error = tried(path);
  }
  if (error !== undefined) throw error;
};
