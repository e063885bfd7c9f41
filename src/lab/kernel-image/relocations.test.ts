import { expect, it } from "vitest";
import { decodeElf } from "./elf.ts";
import { relocatedPointer } from "./relocations.ts";
import { tinyElf } from "./testing/tiny-elf.ts";

const BASE = 0xffff_ffff_8100_0000n;
const words = BigUint64Array.of(1n, BASE + 8n, 0n, BASE);
const elf = tinyElf([{ vaddr: BASE, paddr: 0x100_0000n, bytes: new Uint8Array(words.buffer) }]);

/** The ELF file with lists of places behind it, as offsets from BASE, the first list first. */
const withLists = (...lists: readonly number[][]) => {
  const places = lists.flatMap((list) => [0, ...list.map((at) => Number(BigInt.asIntN(32, BASE)) + at)]);
  return decodeElf(new Uint8Array(Buffer.concat([elf, Buffer.from(Int32Array.from(places).buffer)])));
};

it("the pointer is the first whole word of the 64-bit list that points into the image", () => {
  const pointer = { at: BASE + 8n, value: BASE + 8n };
  expect(relocatedPointer(withLists([0, 4, 8, 24], [16, 17]))).toEqual(pointer);
  expect(relocatedPointer(withLists([0, 8], [4], [16, 17]))).toEqual(pointer);
});

it.each([
  ["no list", []],
  ["only a 32-bit list", [[8, 24]]],
  ["a 64-bit list without a pointer", [[0, 16], [8]]],
  ["places outside the image", [[0x1000], [8]]],
])("an image with %s is refused", (_, lists) => {
  expect(() => relocatedPointer(withLists(...lists))).toThrow(
    "expected a list of 64-bit places at the end, found none",
  );
});
