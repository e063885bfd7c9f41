import { assert } from "../../assert.ts";

/** One entry of an archive. A path has no leading slash; `mode` is the permission bits alone. */
export type CpioEntry =
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly bytes: Uint8Array }
  | { readonly kind: "directory"; readonly path: string; readonly mode: number }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string }
  | {
      readonly kind: "character-device" | "block-device";
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };
export type CpioKind = CpioEntry["kind"];

/** An archive that is not in the newc format. The message names the offset. */
export class CpioError extends Error {
  override name = "CpioError";
}

/** The file type in the upper bits of c_mode, as in stat(2). */
const TYPE_BITS = {
  "character-device": 0o020000,
  directory: 0o040000,
  "block-device": 0o060000,
  file: 0o100000,
  symlink: 0o120000,
} as const satisfies Record<CpioKind, number>;
const TYPE_MASK = 0o170000;

const MAGIC = "070701";
/** The header's fields after the magic, in order, each as eight hexadecimal digits. */
const FIELDS = [
  "ino",
  "mode",
  "nlink",
  "uid",
  "gid",
  "mtime",
  "filesize",
  "devmajor",
  "devminor",
  "rdevmajor",
  "rdevminor",
  "namesize",
  "check",
] as const;
type Header = { readonly [field in (typeof FIELDS)[number]]: number };
const HEADER_BYTES = MAGIC.length + FIELDS.length * 8;
const TRAILER = "TRAILER!!!";

const aligned = (offset: number): number => (offset + 3) & ~3;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

const headerText = (header: Header): string =>
  MAGIC + FIELDS.map((field) => header[field].toString(16).padStart(8, "0")).join("");

const contentsOf = (entry: CpioEntry): Uint8Array => {
  if (entry.kind === "file") return entry.bytes;
  return entry.kind === "symlink" ? encode(entry.target) : new Uint8Array();
};

const permissionsOf = (entry: CpioEntry): number => (entry.kind === "symlink" ? 0o777 : entry.mode);

const recordOf = (entry: CpioEntry, ino: number): Uint8Array => {
  assert(entry.path !== "" && !entry.path.startsWith("/"), () => `"${entry.path}" is a relative path`);
  assert(!entry.path.includes("\0") && entry.path !== TRAILER, () => `"${entry.path}" is a file's name`);
  const permissions = permissionsOf(entry);
  assert(permissions >= 0 && permissions <= 0o7777, () => `${entry.path}: the mode is permission bits`);
  const device = "major" in entry ? entry : { major: 0, minor: 0 };
  const mode = TYPE_BITS[entry.kind] | permissions;
  return record(entry.path, contentsOf(entry), {
    ino,
    mode,
    nlink: entry.kind === "directory" ? 2 : 1,
    rdevmajor: device.major,
    rdevminor: device.minor,
  });
};

/** Header, name and contents. The name and the contents each begin at a multiple of four. */
const record = (path: string, contents: Uint8Array, fields: Partial<Header>): Uint8Array => {
  const name = encode(`${path}\0`);
  const zeros = { ino: 0, mode: 0, nlink: 1, uid: 0, gid: 0, mtime: 0, devmajor: 0, devminor: 0 };
  const more = { rdevmajor: 0, rdevminor: 0, check: 0, ...fields };
  const header = { ...zeros, ...more, filesize: contents.length, namesize: name.length };
  const data = aligned(HEADER_BYTES + name.length);
  const bytes = new Uint8Array(aligned(data + contents.length));
  bytes.set(encode(headerText(header)));
  bytes.set(name, HEADER_BYTES);
  bytes.set(contents, data);
  return bytes;
};

/**
 * A newc archive of these entries in this order, owned by root, without times. A directory has to come before what
 * is in it: the kernel creates no parents.
 *
 * @source Documentation/driver-api/early-userspace/buffer-format.rst
 */
export const writeCpio = (entries: readonly CpioEntry[]): Uint8Array => {
  const records = entries.map((entry, index) => recordOf(entry, index + 1));
  records.push(record(TRAILER, new Uint8Array(), {}));
  const archive = new Uint8Array(records.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const bytes of records) {
    archive.set(bytes, at);
    at += bytes.length;
  }
  return archive;
};

const textAt = (archive: Uint8Array, from: number, length: number): string =>
  new TextDecoder("utf-8").decode(archive.subarray(from, from + length));

const readHeader = (archive: Uint8Array, at: number): Header => {
  if (at + HEADER_BYTES > archive.length) throw new CpioError(`header at ${at} is cut off`);
  const text = textAt(archive, at, HEADER_BYTES);
  if (!text.startsWith(MAGIC)) throw new CpioError(`no newc header at ${at}`);
  const digits = text.slice(MAGIC.length);
  if (!/^[0-9a-fA-F]*$/.test(digits) || digits.length !== FIELDS.length * 8)
    throw new CpioError(`header at ${at} has a field that is not hexadecimal`);
  const field = (name: keyof Header): number => {
    const from = FIELDS.indexOf(name) * 8;
    return Number.parseInt(digits.slice(from, from + 8), 16);
  };
  return {
    ino: field("ino"),
    mode: field("mode"),
    nlink: field("nlink"),
    uid: field("uid"),
    gid: field("gid"),
    mtime: field("mtime"),
    filesize: field("filesize"),
    devmajor: field("devmajor"),
    devminor: field("devminor"),
    rdevmajor: field("rdevmajor"),
    rdevminor: field("rdevminor"),
    namesize: field("namesize"),
    check: field("check"),
  };
};

const entryOf = (header: Header, path: string, bytes: Uint8Array, at: number): CpioEntry => {
  const mode = header.mode & 0o7777;
  switch (header.mode & TYPE_MASK) {
    case TYPE_BITS.file:
      return { kind: "file", path, mode, bytes };
    case TYPE_BITS.directory:
      return { kind: "directory", path, mode };
    case TYPE_BITS.symlink:
      return { kind: "symlink", path, target: new TextDecoder().decode(bytes) };
    case TYPE_BITS["character-device"]:
      return { kind: "character-device", path, mode, major: header.rdevmajor, minor: header.rdevminor };
    case TYPE_BITS["block-device"]:
      return { kind: "block-device", path, mode, major: header.rdevmajor, minor: header.rdevminor };
    default:
      throw new CpioError(`entry at ${at} is of an unknown type, mode ${header.mode.toString(8)}`);
  }
};

/**
 * The entries of a newc archive up to its trailer; what follows the trailer is not looked at. Hard links are
 * entries of their own.
 *
 * @throws CpioError if a header is damaged or of another variant, a length reaches past the end, or an entry is a
 *   FIFO or a socket
 */
export const readCpio = (archive: Uint8Array): CpioEntry[] => {
  const entries: CpioEntry[] = [];
  for (let at = 0; ; ) {
    const header = readHeader(archive, at);
    const nameAt = at + HEADER_BYTES;
    const data = aligned(nameAt + header.namesize);
    if (header.namesize === 0 || data + header.filesize > archive.length)
      throw new CpioError(`entry at ${at} reaches past the end`);
    const path = textAt(archive, nameAt, header.namesize - 1);
    if (path === TRAILER) return entries;
    entries.push(entryOf(header, path, archive.slice(data, data + header.filesize), at));
    at = aligned(data + header.filesize);
  }
};
