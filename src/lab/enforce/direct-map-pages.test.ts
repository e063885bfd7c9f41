import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GIB, MIB } from "../../units.ts";
import { DirectMapPages, pageTablesOf } from "./direct-map-pages.ts";
import { DIRECT_MAP, LARGE, PRESENT, TablesForTest } from "./testing/tables-for-test.ts";

const UNIT = 2 * MIB;

describe.each([4, 5])("in page tables of %i levels", (levels) => {
  it("a large page that is withdrawn is absent alone, and present again once restored", () => {
    const tables = new TablesForTest(levels);
    tables.mapLarge(GIB, 3 * UNIT);
    const before = [0, 1, 2].map((n) => tables.entry(GIB + n * UNIT));
    const pages = new DirectMapPages(tables.memory);
    pages.withdraw({ start: GIB + UNIT, end: GIB + 2 * UNIT }, tables.cpu, DIRECT_MAP);
    expect(tables.entry(GIB + UNIT)).toBe(before[1]! & ~PRESENT);
    expect([tables.entry(GIB), tables.entry(GIB + 2 * UNIT)]).toEqual([before[0], before[2]]);
    expect(pages.ranges).toEqual([{ start: GIB + UNIT, end: GIB + 2 * UNIT }]);
    pages.restore(GIB + UNIT, GIB + 2 * UNIT);
    expect(tables.entry(GIB + UNIT)).toBe(before[1]);
    expect(pages.ranges).toEqual([]);
  });

  it("what no present large page maps to its own address is left alone", () => {
    const tables = new TablesForTest(levels);
    tables.mapLarge(GIB, 4 * UNIT);
    tables.setEntry(GIB, BigInt(GIB) | LARGE);
    tables.setEntry(GIB + UNIT, BigInt(GIB) | PRESENT);
    tables.setEntry(GIB + 2 * UNIT, BigInt(5 * GIB) | LARGE | PRESENT);
    tables.mapHuge(2 * GIB);
    const pages = new DirectMapPages(tables.memory);
    // Half of the last unit; the pages of 1 GiB; what has no table at all.
    for (const [start, end] of [
      [GIB, GIB + 3.5 * UNIT],
      [2 * GIB, 3 * GIB],
      [600 * GIB, 601 * GIB],
    ] as const)
      pages.withdraw({ start, end }, tables.cpu, DIRECT_MAP);
    expect(pages.ranges).toEqual([]);
    expect(tables.entry(GIB + 3 * UNIT)! & PRESENT).toBe(PRESENT);
  });
});

it("of a large page that the kernel has split each part comes back", () => {
  const tables = new TablesForTest(4);
  tables.mapLarge(GIB, UNIT);
  const pages = new DirectMapPages(tables.memory);
  pages.withdraw({ start: GIB, end: GIB + UNIT }, tables.cpu, DIRECT_MAP);
  const parts = tables.splitAbsent(GIB);
  pages.restore(GIB, GIB + UNIT);
  expect(parts().every((part) => (part & PRESENT) === PRESENT)).toBe(true);
  expect(parts()[3]! & ~0xfffn).toBe(BigInt(GIB + 3 * 4096));
});

it("a page is absent in the tables exactly while the set has it", () => {
  const units = fc
    .tuple(fc.nat(15), fc.nat(15))
    .map(([a, b]) => [Math.min(a, b), Math.max(a, b) + 1] as const);
  fc.assert(
    fc.property(units, fc.array(units, { maxLength: 8 }), ([from, to], given) => {
      const tables = new TablesForTest(4);
      tables.mapLarge(GIB, 16 * UNIT);
      const pages = new DirectMapPages(tables.memory);
      pages.withdraw({ start: GIB + from * UNIT, end: GIB + to * UNIT }, tables.cpu, DIRECT_MAP);
      const absent = new Set(Array.from({ length: to - from }, (_, i) => from + i));
      for (const [start, end] of given) {
        pages.restore(GIB + start * UNIT, GIB + end * UNIT);
        for (let unit = start; unit < end; unit++) absent.delete(unit);
      }
      for (let unit = 0; unit < 16; unit++) {
        expect((tables.entry(GIB + unit * UNIT)! & PRESENT) === 0n).toBe(absent.has(unit));
        expect(pages.has(GIB + unit * UNIT)).toBe(absent.has(unit));
      }
    }),
    { numRuns: 40 },
  );
});

it("the control registers tell the topmost table and how many levels there are", () => {
  // CR3 with a process context in its low bits and no flush asked for by bit 63; CR4.LA57 is bit 12.
  expect(pageTablesOf(0x8000_0001_2345_6803n, 0x6f0n)).toEqual({ root: 0x1_2345_6000, levels: 4 });
  expect(pageTablesOf(0x1000n, 0x1000n)).toEqual({ root: 0x1000, levels: 5 });
});
