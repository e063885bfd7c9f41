import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { decodeBzImage } from "./bzimage.ts";
import { decompressorJump } from "./decompressor-jump.ts";
import { TINY_PAYLOAD, TINY_SETUP_END, tinyBzImage } from "./testing/tiny-bzimage.ts";

const gzip = new Uint8Array(gzipSync(new Uint8Array(100)));
const RELOCATION = [0x8b, 0x9e, 0x60, 0x02, 0x00, 0x00, 0x81, 0xeb, 0x00, 0xe0, 0xb7, 0x00];
const JUMP = [0x4c, 0x89, 0xfe, 0xff, 0xe0];

/** A bzImage with code before its payload, and behind it. */
const image = (before: readonly number[], behind: readonly number[]) => {
  const bytes = tinyBzImage(new Uint8Array([...gzip, ...behind]), {
    payloadLength: gzip.length,
    initSize: 0x37d_c000,
  });
  bytes.set(before, TINY_SETUP_END);
  return decodeBzImage(bytes);
};

it("it runs at the preferred address plus init_size, less the decompressor's end, plus its own offset", () => {
  // 0x1000000 + 0x37dc000 - 0xb7e000 + offset of the pattern + 3
  const offset = TINY_PAYLOAD + gzip.length + 1;
  expect(decompressorJump(image(RELOCATION, [0x90, ...JUMP]))).toBe(0x3c5_e000n + BigInt(offset) + 3n);
});

it.each([
  ["no code that moves it", [], JUMP],
  ["no jump", RELOCATION, [0x90]],
  ["two jumps", RELOCATION, [...JUMP, ...JUMP]],
])("an image with %s is refused", (_, before, behind) => {
  expect(() => decompressorJump(image(before, behind))).toThrow("bzImage decompressor, byte 1088: expected");
});
