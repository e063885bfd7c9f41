import { expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { decompressLzop } from "./lzop.ts";

const MAGIC = [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a];
const u32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
/** A header of version 1.040 with a name of two letters. */
const header = (flags: number, method = 3): number[] => [
  ...MAGIC,
  ...[0x10, 0x40, 0x20, 0xa0, 0x09, 0x40, method, 9],
  ...[...u32(flags), ...new Array<number>(12).fill(0)],
  ...[2, 0x61, 0x62, ...u32(0)],
];
const END = u32(0);
const unpacked = (limit: number, ...parts: readonly number[][]): string =>
  Buffer.from(decompressLzop(Uint8Array.from(parts.flat()), limit)).toString("latin1");

const [A, B] = [0x61, 0x62];
/** Four bytes "abab", stored: a = 1 + 97 + 98 + 97 + 98 = 391; b = 98 + 196 + 293 + 391 = 978. */
const STORED = [A, B, A, B];
const ADLER = (978 << 16) + 391;

it("a block that is as long as what comes out is stored, with one checksum", () => {
  expect(unpacked(4, header(0x3), [...u32(4), ...u32(4), ...u32(ADLER), ...STORED], END)).toBe("abab");
});

it("a packed block has a checksum of its own behind that of what comes out", () => {
  // 17 + 4 literals; 001LLLLL length 2 + 6, distance 2; end
  const packed = [21, ...STORED, 0x26, 4, 0, 0x11, 0, 0];
  const sum = unpackedSum("abababababab");
  expect(unpacked(12, header(0x3), [...u32(12), ...u32(11), ...u32(sum), ...u32(0), ...packed], END)).toBe(
    "abababababab",
  );
});

/** Adler-32, by its definition. */
const unpackedSum = (text: string): number => {
  let [a, b] = [1, 0];
  for (const byte of Buffer.from(text)) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
};

it("what is behind the last block is left alone", () => {
  expect(unpacked(9, header(0), [...u32(4), ...u32(4), ...STORED], END, [1, 2, 3])).toBe("abab");
});

it.each([
  ["another method", [header(0, 9), END], "expected method LZO1X, found 9"],
  ["a filter", [header(0x800), END], "expected no filter, parts or extra field, found flags 0x800"],
  [
    "a wrong checksum",
    [header(1), [...u32(4), ...u32(4), ...u32(ADLER + 1), ...STORED], END],
    "a block of its checksum",
  ],
  ["too large a block", [header(0), [...u32(9), ...u32(4), ...STORED], END], "at most 8 bytes of output"],
  ["a block behind its end", [header(0), [...u32(4), ...u32(4), A]], "expected 4 bytes more, found 1"],
  [
    "a packed length that is larger",
    [header(0), [...u32(3), ...u32(4), ...STORED], END],
    "expected 3 bytes in a block, found 4",
  ],
  ["no end", [header(0), [...u32(4), ...u32(4), ...STORED]], "expected 4 bytes more, found 0"],
  ["another magic", [[0x89, 0x4c, 0x5a, 0x4f, 0, 0]], "expected the magic of lzop"],
])("%s is refused", (_, parts, message) => {
  expect(() => unpacked(8, ...parts)).toThrow(DecodeError);
  expect(() => unpacked(8, ...parts)).toThrow(message);
});
