import { expect, it } from "vitest";
import { blockSizeLine, memoryBlockSize } from "./block-size.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

it.each([
  [4 * GIB, true, undefined, 128],
  [64 * GIB - MIB, true, undefined, 128],
  [64 * GIB, true, undefined, 2048],
  [66 * GIB, true, undefined, 2048],
  [0x10_4800_0000, true, undefined, 128],
  [65 * GIB, true, undefined, 1024],
  [64.5 * GIB, true, undefined, 512],
  [0x10_4800_0000, false, undefined, 2048],
  [66 * GIB, true, 256 * MIB, 256],
  [66 * GIB, false, 8 * GIB, 2048],
  [0x10_4800_0000, false, GIB, 128],
])("boot RAM up to %i, guest %s, advice %s gives blocks of %i MiB", (endOfRam, guest, advice, mib) => {
  const facts = { endOfRam, guest, ...(advice === undefined ? {} : { advice }) };
  expect(memoryBlockSize(facts)).toBe(mib * MIB);
});

it("an override precedes everything and may be larger than 2 GiB", () => {
  expect(memoryBlockSize({ endOfRam: GIB, guest: true, override: 64 * GIB })).toBe(64 * GIB);
  expect(() => memoryBlockSize({ endOfRam: GIB, guest: true, override: 64 * MIB })).toThrow("2^27");
});

it("prints the choice as the kernel does", () => {
  expect(blockSizeLine(2 * GIB)).toBe("x86/mm: Memory block size: 2048MB");
});
