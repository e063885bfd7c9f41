import { DecodeError } from "../../abi/bytes.ts";
import { decompressLzo1x } from "./lzo1x.ts";

const WHAT = "lzop file";
const MAGIC = [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a];
/** From this version on, a header has two fields more. */
const LONGER_HEADER = 0x0940;
/** @source lzop 1.04, conf.h */
const FLAG = {
  ADLER32_OF_OUTPUT: 0x1,
  ADLER32_OF_INPUT: 0x2,
  EXTRA_FIELD: 0x40,
  CRC32_OF_OUTPUT: 0x100,
  CRC32_OF_INPUT: 0x200,
  MULTIPART: 0x400,
  FILTER: 0x800,
} as const;
/** LZO1X-1, LZO1X-1(15) and LZO1X-999: one format, three compressors. */
const METHODS = [1, 2, 3];
const CHECKSUM = 4;
const ADLER_BASE = 65521;
/** Bytes after which the sums have to be reduced so as to stay below 2^53. */
const ADLER_PIECE = 2 ** 16;

const adler32 = (bytes: Uint8Array): number => {
  let [a, b] = [1, 0];
  for (let at = 0; at < bytes.length; at += ADLER_PIECE) {
    const end = Math.min(at + ADLER_PIECE, bytes.length);
    for (let i = at; i < end; i++) {
      a += bytes[i]!;
      b += a;
    }
    a %= ADLER_BASE;
    b %= ADLER_BASE;
  }
  return b * 2 ** 16 + a;
};

/** Reads big-endian fields one after the other. */
class Fields {
  readonly bytes: Uint8Array;
  at = 0;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  skip(count: number): number {
    const { at } = this;
    if (at + count > this.bytes.length)
      throw new DecodeError(WHAT, at, `${count} bytes more`, `${this.bytes.length - at}`);
    this.at += count;
    return at;
  }

  u8(): number {
    return this.bytes[this.skip(1)]!;
  }

  u16(): number {
    return this.view.getUint16(this.skip(2));
  }

  u32(): number {
    return this.view.getUint32(this.skip(4));
  }
}

/** Passes the header. @returns its flags */
const readHeader = (fields: Fields): number => {
  for (const [at, byte] of MAGIC.entries())
    if (fields.u8() !== byte) throw new DecodeError(WHAT, at, "the magic of lzop", "other bytes");
  const version = fields.u16();
  const isLonger = version >= LONGER_HEADER;
  fields.skip(2); // version of the library
  if (isLonger) fields.skip(2); // version needed to unpack it
  const method = fields.u8();
  if (!METHODS.includes(method)) throw new DecodeError(WHAT, fields.at - 1, "method LZO1X", `${method}`);
  if (isLonger) fields.skip(1); // level
  const flags = fields.u32();
  const beyond = flags & (FLAG.FILTER | FLAG.MULTIPART | FLAG.EXTRA_FIELD);
  if (beyond !== 0)
    throw new DecodeError(
      WHAT,
      fields.at - 4,
      "no filter, parts or extra field",
      `flags 0x${flags.toString(16)}`,
    );
  fields.skip(isLonger ? 12 : 8); // mode and time
  fields.skip(fields.u8()); // name
  fields.skip(CHECKSUM);
  return flags;
};

const countOf = (flags: number, ...kinds: readonly number[]): number =>
  kinds.filter((kind) => (flags & kind) !== 0).length;

/**
 * Decompresses the file that `lzop` and the kernel's build write: a header, blocks with their lengths, a length of 0.
 * What is behind that is left alone.
 *
 * @param limit bytes of output at most
 * @throws DecodeError if the file is damaged, ends early or holds more
 * @source Linux lib/decompress_unlzo.c; lzop 1.04, lzop.c
 */
export const decompressLzop = (input: Uint8Array, limit: number): Uint8Array => {
  const fields = new Fields(input);
  const flags = readHeader(fields);
  const output = new Uint8Array(limit);
  let to = 0;
  for (let size = fields.u32(); size !== 0; size = fields.u32()) {
    if (size > limit - to)
      throw new DecodeError(WHAT, fields.at - 4, `at most ${limit} bytes of output`, "more");
    const packed = fields.u32();
    const sum = (flags & FLAG.ADLER32_OF_OUTPUT) === 0 ? undefined : fields.u32();
    fields.skip(CHECKSUM * countOf(flags, FLAG.CRC32_OF_OUTPUT));
    // A block that would not get shorter is stored, with one checksum for both.
    if (packed < size) fields.skip(CHECKSUM * countOf(flags, FLAG.ADLER32_OF_INPUT, FLAG.CRC32_OF_INPUT));
    const at = fields.skip(packed);
    const block = output.subarray(to, to + size);
    const length = packed < size ? decompressLzo1x(input, at, at + packed, block) : packed;
    if (length !== size) throw new DecodeError(WHAT, at, `${size} bytes in a block`, `${length}`);
    if (packed === size) block.set(input.subarray(at, at + packed));
    if (sum !== undefined && adler32(block) !== sum)
      throw new DecodeError(WHAT, at, "a block of its checksum", "another");
    to += size;
  }
  return output.subarray(0, to);
};
