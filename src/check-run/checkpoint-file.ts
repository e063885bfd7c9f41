import { createHash, type Hash } from "node:crypto";
import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import * as z from "zod";
import type { Checkpoint } from "../check/checkpoint.ts";

/** A checkpoint file cannot be written, or is not one that this search can go on from. One line says why. */
export class CheckpointError extends Error {
  override name = "CheckpointError";
}

const MAGIC = "TIDEMARK CHECK 2\n";
const DIGEST_BYTES = 32;
const MOST_HEADER_BYTES = 2 ** 26;
const PIECE_BYTES = 2 ** 24;

const count = z.number().int().nonnegative();
const lengths = z.array(count);
const HEADER = z.strictObject({
  /** What is searched, and how: only the very same search goes on from it. */
  identity: z.string(),
  /** What the system itself has to know before it can go on. */
  note: z.string(),
  tallies: z.strictObject({
    states: count,
    transitions: count,
    resting: count,
    expanded: count,
    appended: count,
    deepest: count,
  }),
  depth: count,
  found: z.array(z.strictObject({ violation: count, parent: count, choice: z.number().int().min(-1) })),
  goals: lengths,
  /** Numbers of elements of the arrays that follow, in this order. */
  table: count,
  levels: count.nullable(),
  level: lengths,
  next: lengths,
  links: lengths.nullable(),
});
type Header = z.infer<typeof HEADER>;

/** The arrays of a checkpoint in the order of the file. */
const arraysOf = ({ table, levels, level, next, links }: Checkpoint): ArrayBufferView[] => [
  table,
  ...(levels === undefined ? [] : [levels]),
  ...level,
  ...next,
  ...(links === undefined ? [] : [...links.parents, ...links.choices]),
];

const headerOf = (identity: string, note: string, checkpoint: Checkpoint): Header => {
  const { tallies, depth, found, goals, table, levels, level, next, links } = checkpoint;
  return {
    ...{ identity, note, tallies, depth, found: [...found], goals: [...goals] },
    table: table.length,
    levels: levels?.length ?? null,
    level: level.map(({ length }) => length),
    next: next.map(({ length }) => length),
    links: links?.parents.map(({ length }) => length) ?? null,
  };
};

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Takes each piece of an array's bytes. */
const inPieces = (bytes: Uint8Array, take: (piece: Uint8Array) => void): void => {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) take(bytes.subarray(at, at + PIECE_BYTES));
};

const headerBytes = (header: Header): Buffer => {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([Buffer.from(MAGIC), length, json]);
};

const writeAll = (file: number, header: Header, checkpoint: Checkpoint): void => {
  const digest = createHash("sha256");
  const put = (piece: Uint8Array) => {
    // What lies in shared memory is copied first: neither call takes it as it is.
    const own = piece.buffer instanceof SharedArrayBuffer ? Buffer.from(piece) : piece;
    digest.update(own);
    for (let at = 0; at < own.length; ) at += writeSync(file, own, at);
  };
  put(headerBytes(header));
  for (const array of arraysOf(checkpoint)) inPieces(bytesOf(array), put);
  writeSync(file, digest.digest());
  fsyncSync(file);
};

/** Where a process writes a checkpoint before it takes the other's place. */
const draftOf = (path: string): string => `${path}.${process.pid}.new`;

/** The process that writes a file which is a draft of a checkpoint; undefined for any other file. @param name the checkpoint's */
export const draftWriter = (name: string, file: string): number | undefined => {
  const writer = file.startsWith(`${name}.`) ? /^(\d{1,9})\.new$/.exec(file.slice(name.length + 1)) : null;
  return writer === null ? undefined : Number(writer[1]);
};

/**
 * Writes a checkpoint: all of it or nothing, so that one that was there stays until the new one is whole.
 *
 * @param identity names the search: the system's configuration, its version and the options
 * @param note what the system has to know before it can go on
 * @throws CheckpointError
 */
export const writeCheckpoint = (path: string, identity: string, checkpoint: Checkpoint, note = ""): void => {
  const draft = draftOf(path);
  try {
    const file = openSync(draft, "w");
    try {
      writeAll(file, headerOf(identity, note, checkpoint), checkpoint);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw new CheckpointError(`${path}: the checkpoint cannot be written: ${messageOf(cause)}`, { cause });
  }
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Reads a file from front to back and keeps its digest. */
class Reader {
  left: number;
  readonly digest: Hash = createHash("sha256");
  private readonly path: string;
  private readonly file: number;

  constructor(path: string, file: number) {
    this.path = path;
    this.file = file;
    this.left = fstatSync(file).size;
  }

  fail(what: string): never {
    throw new CheckpointError(`${this.path}: ${what}; delete it and begin anew`);
  }

  /** Fills an array. The file's length was held against it before it was made. */
  fill<A extends Uint8Array | Uint16Array | Uint32Array>(array: A): A {
    inPieces(bytesOf(array), (piece) => {
      for (let at = 0; at < piece.length; ) {
        const read = readSync(this.file, piece, at, piece.length - at, null);
        if (read === 0) this.fail("the checkpoint ends early");
        at += read;
      }
      this.digest.update(piece);
    });
    this.left -= array.byteLength;
    return array;
  }

  bytes(length: number): Uint8Array {
    if (length > this.left) this.fail("the checkpoint ends early");
    return this.fill(new Uint8Array(length));
  }
}

const readHeader = (reader: Reader): Header => {
  const magic = Buffer.from(reader.bytes(Math.min(reader.left, MAGIC.length))).toString("latin1");
  if (magic !== MAGIC) reader.fail("this is no checkpoint of this version");
  const length = Buffer.from(reader.bytes(4)).readUInt32LE();
  if (length > MOST_HEADER_BYTES) reader.fail("the checkpoint's header is too long");
  const text = Buffer.from(reader.bytes(length)).toString();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    reader.fail("the checkpoint's header is no JSON");
  }
  const header = HEADER.safeParse(json);
  return header.success ? header.data : reader.fail("the checkpoint's header lacks something");
};

/** Identities are JSON objects of strings; what is not is told as a whole. */
const fieldsOf = (identity: string): ReadonlyMap<string, string> => {
  try {
    const parsed: unknown = JSON.parse(identity);
    const entries = typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : [];
    return new Map(entries.map(([name, value]) => [name, JSON.stringify(value)]));
  } catch {
    return new Map();
  }
};

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text);

/** The first thing in which two searches differ. */
const differenceOf = (found: string, expected: string): string => {
  const [there, here] = [fieldsOf(found), fieldsOf(expected)];
  const name = [...here.keys()].find((name) => here.get(name) !== there.get(name));
  if (name === undefined) return `expected ${shortened(expected)}, found ${shortened(found)}`;
  return `expected ${name} ${shortened(here.get(name)!)}, found ${shortened(there.get(name) ?? "none")}`;
};

const total = (lengths: readonly number[]): number => lengths.reduce((sum, length) => sum + length, 0);

/** Bytes of the arrays that a header announces. */
const arrayBytes = ({ table, levels, level, next, links }: Header): number =>
  4 * table + 2 * (levels ?? 0) + total(level) + total(next) + 6 * total(links ?? []);

/** A checkpoint as it is read, and the note that was written with it. */
export type NotedCheckpoint = Checkpoint & { readonly note: string };

const readBody = (reader: Reader, header: Header): NotedCheckpoint => {
  const { note, tallies, depth, found, goals } = header;
  const table = reader.fill(new Uint32Array(header.table));
  const levels = header.levels === null ? undefined : reader.fill(new Uint16Array(header.levels));
  const level = header.level.map((length) => reader.fill(new Uint8Array(length)));
  const next = header.next.map((length) => reader.fill(new Uint8Array(length)));
  const parents = header.links?.map((length) => reader.fill(new Uint32Array(length)));
  const choices = header.links?.map((length) => reader.fill(new Uint16Array(length)));
  const links = parents && choices && { parents, choices };
  return { note, tallies, depth, found, goals, table, levels, level, next, links };
};

const read = (reader: Reader, identity: string): NotedCheckpoint => {
  const header = readHeader(reader);
  if (header.identity !== identity)
    reader.fail(`the checkpoint is of another search: ${differenceOf(header.identity, identity)}`);
  if (reader.left !== arrayBytes(header) + DIGEST_BYTES)
    reader.fail("the checkpoint has not the length it says");
  const checkpoint = readBody(reader, header);
  const digest = reader.digest.copy().digest();
  if (!digest.equals(reader.bytes(DIGEST_BYTES))) reader.fail("the checkpoint is damaged");
  return checkpoint;
};

/**
 * Reads a checkpoint of the search that `identity` names.
 *
 * @throws CheckpointError
 */
export const readCheckpoint = (path: string, identity: string): NotedCheckpoint => {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (cause) {
    throw new CheckpointError(`${path}: the checkpoint cannot be read: ${messageOf(cause)}`, { cause });
  }
  try {
    return read(new Reader(path, file), identity);
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(`${path}: the checkpoint cannot be read: ${messageOf(cause)}`, { cause });
  } finally {
    closeSync(file);
  }
};
