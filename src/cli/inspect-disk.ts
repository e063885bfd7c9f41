import { closeSync, type Dirent, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { createGunzip } from "node:zlib";
import type { Decode } from "../artifacts/artifact-reading.ts";

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

/** What gzip packed. */
export const gunzip = async (packed: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> => {
  const input = Readable.from(packed, { objectMode: false });
  const output = createGunzip();
  // A reader that has enough stops asking, and an error on either side is told to it.
  input.on("error", (error) => output.destroy(error));
  return input.pipe(output);
};

/** What xz packed, as reports of machines are. */
export const unxz = async (packed: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> => {
  const { XzReadableStream } = (await import("xz-decompress")).default;
  return new XzReadableStream(ReadableStream.from(packed));
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
