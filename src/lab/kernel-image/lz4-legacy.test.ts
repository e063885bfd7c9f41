import { expect, it } from "vitest";
import { decompressLz4Legacy } from "./lz4-legacy.ts";

const MAGIC = [0x02, 0x21, 0x4c, 0x18];
const block = (...bytes: readonly number[]): number[] => [bytes.length, 0, 0, 0, ...bytes];
const frame = (...blocks: readonly number[][]): Uint8Array => Uint8Array.from([...MAGIC, ...blocks.flat()]);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

const A = 0x61;
const B = 0x62;

it("a sequence is literals and a match, which may repeat itself", () => {
  // 2 literals; a match of 4 + 3 at distance 2; then 1 literal that ends the block
  const bytes = frame(block(0x23, A, B, 2, 0, 0x10, 0x21));
  expect(text(decompressLz4Legacy(bytes, 100))).toBe("ababababa!");
});

it("lengths of 15 and more go on in the next bytes", () => {
  const literals = Array.from({ length: 15 + 255 + 1 }, () => A);
  const bytes = frame(block(0x10, B, 1, 0, 0x0f, 1, 0, 3, 0x10, 0x21), [
    ...[literals.length + 3, 1, 0, 0].map((byte, n) => (n === 0 ? (literals.length + 3) & 0xff : byte)),
    ...[0xf0, 255, 1, ...literals],
  ]);
  expect(text(decompressLz4Legacy(bytes, 1000))).toBe(`${"b".repeat(5 + 4 + 15 + 3)}!${"a".repeat(271)}`);
});

it("frames may follow each other", () => {
  const bytes = Uint8Array.from([...frame(block(0x10, A)), ...frame(block(0x10, B))]);
  expect(text(decompressLz4Legacy(bytes, 2))).toBe("ab");
});

it.each([
  [
    "a distance into the block before",
    frame(block(0x10, A), block(0x00, 1, 0)),
    "expected a distance of 1 to 0, found 1",
  ],
  ["a distance of zero", frame(block(0x10, A, 0, 0)), "expected a distance of 1 to 1, found 0"],
  ["half a distance", frame(block(0x10, A, 1)), "expected a distance of 2 bytes, found the block's end"],
  ["literals behind its end", frame(block(0x50, A)), "expected 5 literals inside their block, found 1"],
  ["a length behind its end", frame(block(0xf0, 255)), "expected a length that ends inside its block"],
  ["too many literals", frame(block(0x30, A, A, A)), "expected at most 2 bytes of output, found more"],
  ["too long a match", frame(block(0x1f, A, 1, 0, 0)), "expected at most 2 bytes of output, found more"],
  [
    "a block behind the file's end",
    frame([9, 0, 0, 0, 0x10, A]),
    "expected a block of at most 2 bytes, found 9",
  ],
  ["half a block length", frame([9, 0]), "expected a block length of 4 bytes, found 2"],
  [
    "another magic",
    Uint8Array.of(4, 0x22, 0x4d, 0x18),
    "expected the magic of the legacy frame, found 0x184d2204",
  ],
])("%s is refused", (_, bytes, message) => {
  expect(() => decompressLz4Legacy(bytes, 2)).toThrow(message);
});
