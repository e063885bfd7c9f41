import { crc32 } from "node:zlib";
import { DecodeError } from "../../abi/bytes.ts";

/** A .xz file with one block that was filtered for x86 code, made into one that any decoder takes. */
export interface UnfilteredXz {
  /** The same compressed data in a file without the filter and without a check. */
  readonly bytes: Uint8Array;
  /** CRC-32 of what comes out once the filter is undone; undefined if the file has another check or none. */
  readonly crc: number | undefined;
}

const WHAT = "xz file";
const HEADER = 12;
const FOOTER = 12;
const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const FOOTER_MAGIC = [0x59, 0x5a];
const FILTER = { X86: 0x04, LZMA2: 0x21 } as const;
const CHECK_CRC32 = 1;
/** Bytes of each kind of check. */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;

const broken = (at: number, expected: string, found: string): never => {
  throw new DecodeError(WHAT, at, expected, found);
};

/** Reads one number after the other. */
class XzReader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) return broken(this.at, "another byte", "the end");
    this.at++;
    return byte;
  }

  /** A number of seven bits a byte. Of the nine that the format allows, seven fit what we count with. */
  number(): number {
    let value = 0;
    for (let n = 0; n < 7; n++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 128 ** n;
      if (byte < 0x80) return value;
    }
    return broken(this.at, "a number below 2^49", "a larger one");
  }
}

/** Properties of the filters of a block, by their number, in their order. */
const filtersOf = (bytes: Uint8Array): Map<number, Uint8Array> => {
  const reader = new XzReader(bytes, HEADER + 1);
  const flags = reader.byte();
  if ((flags & 0x40) !== 0) reader.number();
  if ((flags & 0x80) !== 0) reader.number();
  const filters = new Map<number, Uint8Array>();
  for (let n = 0; n <= (flags & 3); n++) {
    const id = reader.number();
    const length = reader.number();
    filters.set(id, bytes.subarray(reader.at, reader.at + length));
    reader.at += length;
  }
  return filters;
};

const u32 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

const sumOf = (bytes: readonly number[]): number[] => {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(Uint8Array.from(bytes)));
  return [...sum];
};

const padded = (bytes: readonly number[]): number[] => [
  ...bytes,
  ...new Array<number>(-bytes.length & 3).fill(0),
];

const numberBytes = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) | 0x80, ...numberBytes(Math.floor(value / 128))];

/** A file with this LZMA2 data in its one block, and no check. */
const plainFile = (data: Uint8Array, properties: number, size: number): Uint8Array => {
  const flags = [0, 0];
  // Its size in words, sum included, less one; one filter; the filter's number, and one byte of properties.
  const header = padded([2, 0, FILTER.LZMA2, 1, properties, 0, 0, 0]);
  const unpadded = header.length + 4 + data.length;
  const index = padded([0, 1, ...numberBytes(unpadded), ...numberBytes(size)]);
  const backward = Buffer.alloc(4);
  backward.writeUInt32LE(index.length / 4); // in words, the sum included, less one
  const footer = [...backward, ...flags];
  return new Uint8Array(
    Buffer.concat([
      Uint8Array.from([...MAGIC, ...flags, ...sumOf(flags), ...header, ...sumOf(header)]),
      data,
      new Uint8Array(-data.length & 3),
      Uint8Array.from([...index, ...sumOf(index), ...sumOf(footer), ...footer, ...FOOTER_MAGIC]),
    ]),
  );
};

/** What the index at the end of the file says of its blocks, and where it starts. */
const indexOf = (bytes: Uint8Array): { at: number; blocks: number; unpadded: number; size: number } => {
  const footer = bytes.length - FOOTER;
  if (footer < HEADER || FOOTER_MAGIC.some((byte, n) => bytes[footer + 10 + n] !== byte))
    broken(Math.max(footer, 0), "the end of a stream", "something else");
  const at = footer - (u32(bytes, footer + 4) + 1) * 4;
  if (at < HEADER) broken(footer + 4, "an index inside the file", `one at ${at}`);
  const reader = new XzReader(bytes, at + 1);
  return { at, blocks: reader.number(), unpadded: reader.number(), size: reader.number() };
};

/**
 * Takes the x86 filter out of a .xz file, for a decoder that does not know it. The kernel's build compresses its payload
 * so (scripts/xz_wrap.sh), in one block.
 *
 * @returns undefined if the file has no such filter
 * @throws DecodeError if a header points out of the file, or there are more blocks than one
 * @source the .xz file format, version 1.2
 */
export const withoutX86Filter = (bytes: Uint8Array): UnfilteredXz | undefined => {
  if (bytes.length < HEADER + FOOTER || (bytes[HEADER + 1]! & 3) === 0) return undefined;
  const filters = filtersOf(bytes);
  const properties = filters.get(FILTER.LZMA2)?.[0];
  if (!filters.has(FILTER.X86) || filters.size !== 2 || properties === undefined) return undefined;
  const { at, blocks, unpadded, size } = indexOf(bytes);
  if (blocks !== 1) broken(at, "one block", `${blocks}`);
  const check = bytes[7]! & 15;
  const header = (bytes[HEADER]! + 1) * 4;
  const end = HEADER + unpadded - CHECK_BYTES[check]!;
  if (end > at || end < HEADER + header)
    broken(at, "a block that ends before the index", `one that ends at ${end}`);
  const data = bytes.subarray(HEADER + header, end);
  // The check is the last part of the block, behind the padding of the data.
  const crc = check === CHECK_CRC32 ? u32(bytes, HEADER + Math.ceil((end - HEADER) / 4) * 4) : undefined;
  return { bytes: plainFile(data, properties, size), crc };
};
