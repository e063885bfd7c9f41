import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { LabError } from "../lab-error.ts";

/** Bytes [start, end) of a file. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

const run = promisify(execFile);
/** A map of a large file in many pieces is long. */
const MOST_OUTPUT = 64 * 2 ** 20;

const failed = (what: string, path: string, cause: unknown): LabError =>
  new LabError(`${path}: ${what}: ${String(cause)}; npm run setup:lab installs qemu-img and util-linux`, {
    cause,
  });

/**
 * Where a sparse file has pages, ascending. Reading them this way makes none.
 *
 * @throws LabError if qemu-img is missing or the file is
 */
export const extentsOf = async (path: string): Promise<Extent[]> => {
  try {
    const args = ["map", "-U", "-f", "raw", "--output=json", path];
    const { stdout } = await run("qemu-img", args, { maxBuffer: MOST_OUTPUT });
    const rows: unknown = JSON.parse(stdout);
    return Array.isArray(rows) ? rows.flatMap(dataExtent) : [];
  } catch (cause) {
    throw failed("its pages cannot be listed", path, cause);
  }
};

const dataExtent = (row: unknown): Extent[] => {
  if (typeof row !== "object" || row === null || !("data" in row) || row.data !== true) return [];
  if (!("start" in row) || !("length" in row)) return [];
  const { start, length } = row;
  return typeof start === "number" && typeof length === "number" ? [{ start, end: start + length }] : [];
};

/**
 * Gives the pages of [offset, offset + length) back: the file reads as zeros there, and has no pages.
 *
 * @throws LabError if the file system cannot do that
 */
export const punchHole = async (path: string, offset: number, length: number): Promise<void> => {
  try {
    await run("fallocate", ["--punch-hole", "--offset", String(offset), "--length", String(length), path]);
  } catch (cause) {
    throw failed("its pages cannot be given back", path, cause);
  }
};
