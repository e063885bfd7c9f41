import { decompress as fzstd } from "fzstd";
import { expect, it } from "vitest";
import { decompress } from "./decompress.ts";
import { zeroFrame } from "./zero-frame.ts";

const MIB = 2 ** 20;
const head = Uint8Array.from({ length: 500 }, (_, n) => (n * 7 + 1) & 0xff);
const tail = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

const expected = (size: number): Uint8Array => {
  const bytes = new Uint8Array(size);
  bytes.set(head);
  bytes.set(tail, size - tail.length);
  return bytes;
};

it.each([
  ["with room for no block as it is", 500 + 61 + 8 * 131072 + 8, 1000],
  ["that ends in a part of a block", 3 * MIB + 77, MIB],
  ["with a single byte of such a part", 500 + 61 + 131072 + 1 + 8, 200_000],
  ["without zeroes", 500 + 61 + 8, 5 * MIB],
])("two decoders read head, zeroes and tail from a frame %s", async (_, size, room) => {
  const frame = zeroFrame(head, size, tail, room)!;
  const wanted = Buffer.from(expected(size));
  expect(wanted.equals(await decompress("frame", frame, "zstd", size))).toBe(true);
  expect(wanted.equals(fzstd(frame))).toBe(true);
});

it("a frame takes the room it has, but for a block and a third, so that it may be unpacked where it lies", () => {
  const room = 12 * MIB;
  const frame = zeroFrame(head, 55 * MIB, tail, room)!;
  expect(frame.length).toBeLessThanOrEqual(room);
  expect(frame.length).toBeGreaterThan(room - 175_000);
});

it("there is no frame where there is no room", () => {
  expect(zeroFrame(head, 55 * MIB, tail, 5000)).toBeUndefined();
  expect(zeroFrame(head, 400, tail, 5000)).toBeUndefined();
});
