import { expect, it } from "vitest";
import { decodeElf } from "./elf.ts";
import { relocatedPointer, relocations } from "./relocations.ts";
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

/** A vmlinux that ends in its section headers, which are none here, has lists behind those. */
const listsOf = (...lists: readonly number[][]) => {
  const found = relocations({ ...withLists(...lists), sections: SECTIONS });
  const low = Number(BigInt.asIntN(32, BASE));
  const told = (places: Int32Array): number[] => [...places].map((place) => place - low);
  return found && [told(found.words), told(found.inverse), told(found.halves)];
};
const SECTIONS = [{ name: "", index: 0, offset: BigInt(elf.length), bytes: new Uint8Array() }].map(
  (section) => ({
    ...section,
    type: 0,
    flags: 0n,
    addr: 0n,
    size: 0n,
    link: 0,
    info: 0,
    addralign: 0n,
    entsize: 0n,
  }),
);

it("behind the ELF file lie two lists of places, or three before 6.15; other numbers are not known", () => {
  expect(listsOf([0, 8], [16, 17])).toEqual([[0, 8], [], [16, 17]]);
  expect(listsOf([0, 8], [4], [16, 17])).toEqual([[0, 8], [4], [16, 17]]);
  expect(listsOf([8], [], [])).toEqual([[8], [], []]);
  expect(listsOf([0, 8])).toBeUndefined();
  expect(listsOf([8], [8], [8], [8])).toBeUndefined();
});
