import fc from "fast-check";
import { expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { decompressLzo1x } from "./lzo1x.ts";

const END = [0x11, 0, 0];
const letters = (count: number): number[] => Array.from({ length: count }, (_, n) => 0x61 + (n % 26));
const text = (bytes: readonly number[]): string => Buffer.from(bytes).toString("latin1");

const unpacked = (block: readonly number[], limit = 70_000): string => {
  const output = new Uint8Array(limit);
  const length = decompressLzo1x(Uint8Array.from(block), 0, block.length, output);
  return Buffer.from(output.subarray(0, length)).toString("latin1");
};

it("a first byte above 17 is so many literals, and lengths of 0 go on in bytes", () => {
  expect(unpacked([17 + 3, ...letters(3), ...END])).toBe("abc");
  // 0000LLLL with L = 0: 3 + 15 + 255 + 7 literals
  expect(unpacked([0, 0, 7, ...letters(280), ...END])).toBe(text(letters(280)));
});

it("each form of a match has its own distance and length", () => {
  const first = [17 + 10, ...letters(10)];
  const all = "abcdefghij";
  // 01LDDDSS: length 3 + 1, distance (1 << 3) + 1 + 1 = 10
  expect(unpacked([...first, 0b0110_0100, 1, ...END])).toBe(`${all}abcd`);
  // 1LLDDDSS: length 5 + 3, distance (0 << 3) + 2 + 1 = 3
  expect(unpacked([...first, 0b1110_1000, 0, ...END])).toBe(`${all}hijhijhi`);
  // 001LLLLL: length 2 + 31 + 4, distance 0 + 1
  expect(unpacked([...first, 0b0010_0000, 4, 0, 0, ...END])).toBe(`${all}${"j".repeat(37)}`);
  // SS: one literal behind the match; then 0000DDSS: 2 bytes at distance (0 << 2) + 2 + 1
  expect(unpacked([...first, 0b0100_0101, 0, 0x21, 0b0000_1000, 0, ...END])).toBe(`${all}iji!ji`);
});

it("after a long run of literals, three bytes lie 2049 to 3072 back", () => {
  const run = letters(2100);
  // 3 + 15 + 8 * 255 + 42 = 2100 literals; 0000DDSS: 3 bytes at distance (1 << 2) + 3 + 2049 = 2056
  const block = [0, ...new Array<number>(8).fill(0), 42, ...run, 0b0000_1100, 1, ...END];
  expect(unpacked(block)).toBe(text([...run, ...run.slice(44, 47)]));
});

it("a far match reaches from 16385 to 49151 bytes back", () => {
  // 17 literals, then matches at distance 1 up to 40000 bytes in all
  const filled = 40_000 - 4;
  const zeros = Math.floor((filled - 2 - 31 - 1) / 255);
  const rest = filled - 2 - 31 - 255 * zeros;
  const long = [0b0010_0000, ...new Array<number>(zeros).fill(0), rest, 0, 0];
  // 0001HLLL: length 2 + 3, distance 16384 + 16384 + 7232 = 40000
  const far = [0b0001_1011, (7232 << 2) & 0xff, (7232 << 2) >> 8];
  expect(unpacked([17 + 4, 1, 2, 3, 4, ...long, ...far, ...END]).slice(40_000)).toBe("\x01\x02\x03\x04\x04");
});

it.each([
  ["a distance before its start", [18, 0x61, 0b0100_1000, 0, ...END], "a distance of at most 1, found 3"],
  ["literals behind its end", [17 + 9, 0x61], "expected 9 literals inside their block, found 1"],
  ["half a distance", [18, 0x61, 0b0010_0010, 0], "an instruction that ends inside its block"],
  ["no end", [18, 0x61], "an instruction that ends inside its block"],
  ["bytes behind its end", [18, 0x61, ...END, 0], "expected the block's end, found 1 more bytes"],
  ["too many literals", [17 + 5, ...letters(5), ...END], "at most 4 bytes of output"],
  ["too long a match", [18, 0x61, 0b0010_0010, 0, 0, ...END], "at most 4 bytes of output"],
])("%s is refused", (_, block, message) => {
  expect(() => unpacked(block, 4)).toThrow(DecodeError);
  expect(() => unpacked(block, 4)).toThrow(message);
});

it("any bytes give what fits or DecodeError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        expect(unpacked([...bytes], 1000).length).toBeLessThanOrEqual(1000);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }),
  );
});
