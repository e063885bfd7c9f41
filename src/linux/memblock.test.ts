import fc from "fast-check";
import { expect, it } from "vitest";
import { GIB, MIB } from "../units.ts";
import { ANY_NODE, Memblock } from "./memblock.ts";
import { ARRAY, memblockAlloc, memblockDoubleArray } from "./memblock-alloc.ts";
import { fakeKernel, run } from "./testing/fake-kernel.ts";
import { VARIANTS, withoutFixes } from "./variant.ts";

const rows = (m: Memblock, which: "memory" | "reserved") =>
  Array.from({ length: m[which].count }, (_, row) => [
    m[which].start[row],
    m[which].end[row],
    m[which].node[row],
  ]);

const freeRanges = (m: Memblock): number[][] => {
  const found: number[][] = [];
  for (let from = 0; m.nextFree(from); from = m.freeEnd) found.push([m.freeStart, m.freeEnd, m.freeNode]);
  return found;
};

it("merges neighbours that are alike and keeps nodes apart", () => {
  const m = new Memblock();
  m.add(0, 10);
  m.add(10, 20);
  m.add(30, 40);
  expect(rows(m, "memory")).toEqual([
    [0, 20, ANY_NODE],
    [30, 40, ANY_NODE],
  ]);
  m.setNode(5, 35, 1);
  expect(rows(m, "memory")).toEqual([
    [0, 5, ANY_NODE],
    [5, 20, 1],
    [30, 35, 1],
    [35, 40, ANY_NODE],
  ]);
});

it("an added range fills the gaps between regions and changes no region", () => {
  const m = new Memblock();
  m.add(10, 20, 1);
  m.add(30, 40, 2);
  m.add(0, 50, 3);
  expect(rows(m, "memory")).toEqual([
    [0, 10, 3],
    [10, 20, 1],
    [20, 30, 3],
    [30, 40, 2],
    [40, 50, 3],
  ]);
});

it("free ranges and reservations agree with a byte map", () => {
  const range = fc.tuple(fc.nat(63), fc.integer({ min: 1, max: 20 }), fc.nat(2), fc.nat(3));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 20 }), (ranges) => {
      const m = new Memblock();
      const memory = new Int8Array(96).fill(-9);
      const reserved = new Uint8Array(96);
      for (const [start, length, node, what] of ranges) {
        const end = start + length;
        if (what === 0) {
          m.reserve(start, end);
          reserved.fill(1, start, end);
        } else if (what === 1) {
          m.release(start, end);
          reserved.fill(0, start, end);
        } else if (what === 2) {
          m.remove(start, end);
          memory.fill(-9, start, end);
        } else {
          m.add(start, end, node);
          for (let at = start; at < end; at++) if (memory[at] === -9) memory[at] = node;
        }
      }
      const bytes = new Int8Array(96).fill(-9);
      for (const [start, end, node] of freeRanges(m)) bytes.fill(node!, start, end);
      expect([...bytes]).toEqual([...memory].map((node, at) => (reserved[at] ? -9 : node)));
      expect(m.memorySize()).toBe(memory.filter((node) => node !== -9).length);
    }),
  );
});

it("finds the highest aligned place below the limit", () => {
  const m = new Memblock();
  m.add(0x1000, 0x9000, 0);
  m.add(0x10000, 0x18000, 1);
  m.reserve(0x17000, 0x18000);
  expect(m.findTopDown(0x1000, 0x1000, Number.POSITIVE_INFINITY, ANY_NODE)).toBe(0x16000);
  expect(m.findTopDown(0x1000, 0x4000, Number.POSITIVE_INFINITY, ANY_NODE)).toBe(0x14000);
  expect(m.findTopDown(0x1000, 0x1000, 0x8800, ANY_NODE)).toBe(0x7000);
  expect(m.findTopDown(0x1000, 0x1000, Number.POSITIVE_INFINITY, 0)).toBe(0x8000);
  expect(m.findTopDown(0x8000, 0x1000, Number.POSITIVE_INFINITY, 1)).toBe(-1);
  expect(m.findTopDown(0x8000, 0x1000, Number.POSITIVE_INFINITY, 0)).toBe(0x1000);
});

it("an allocation is accepted before its address is returned; a reservation is not", () => {
  const window = { start: 4 * GIB, end: 4 * GIB + 64 * MIB };
  const { k, hw } = fakeKernel({ top: window.end, unaccepted: { window, ranges: [window] } });
  k.memblock.add(window.start, window.end);
  k.memblock.reserve(window.start, window.start + 4 * MIB);
  expect(hw.accepts).toBe(0);
  const address = run(k, memblockAlloc, 4096, 4096, 0, ANY_NODE);
  expect(address).toBe(window.end - 4096);
  expect(hw.isAccepted(window.end - 2 * MIB, window.end)).toBe(true);
  // The next one ends where the first unit of the last one starts: its guard is accepted already.
  expect(run(k, memblockAlloc, 2 * MIB, 2 * MIB, 0, 3)).toBe(window.end - 4 * MIB);
  expect(hw.accepts).toBe(2);
});

it("memory that is not there is not allocated", () => {
  const { k } = fakeKernel({ top: GIB });
  expect(run(k, memblockAlloc, 4096, 4096, 0, ANY_NODE)).toBe(-1);
});

/** A kernel with 64 MiB that wait unaccepted, and the 128 reservations, far below, that its first array has room for. */
const fullOfReservations = (fixed: boolean) => {
  const window = { start: 4 * GIB, end: 4 * GIB + 64 * MIB };
  const members = { variant: fixed ? VARIANTS["7.3"] : withoutFixes(VARIANTS["7.3"], ["B11"]) };
  const { k, hw } = fakeKernel({ top: window.end, unaccepted: { window, ranges: [window] }, members });
  k.memblock.add(0, 2 * MIB);
  k.memblock.add(window.start, window.end);
  for (let n = 0; n < 128; n++) k.memblock.reserve(n * 0x2000, n * 0x2000 + 0x1000);
  return { k, hw, window };
};

it("the 129th reservation doubles the array, which takes two pages below what is being reserved, and accepts them", () => {
  const { k, hw, window } = fullOfReservations(true);
  expect(k.memblock.reserved.arrayBytes).toBe(128 * 24);
  expect(run(k, memblockAlloc, 2 * MIB, 2 * MIB, 0, ANY_NODE)).toBe(window.end - 2 * MIB);
  expect(k.memblock.reserved.arrayBytes).toBe(256 * 24);
  // 256 rows of 24 bytes are two pages, and touch the allocation, so that both are one region.
  expect(rows(k.memblock, "reserved").at(-1)).toEqual([window.end - 2 * MIB - 0x2000, window.end, ANY_NODE]);
  expect(hw.isAccepted(window.end - 4 * MIB, window.end)).toBe(true);
});

it("without the fix the array is copied to memory that nobody accepted", () => {
  const { k, hw, window } = fullOfReservations(false);
  run(k, memblockDoubleArray, ARRAY.RESERVED, 0, 0);
  expect(rows(k.memblock, "reserved").at(-1)).toEqual([window.end - 0x2000, window.end, ANY_NODE]);
  expect(hw.accepts).toBe(0);
});
