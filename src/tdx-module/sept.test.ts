import fc from "fast-check";
import { expect, it } from "vitest";
import { SEPT_MAPPED, SEPT_NL_BLOCKED, SEPT_PENDING } from "../abi/tdx/sept-entry.ts";
import { capacityFor } from "../flat/growth.ts";
import { leafFrame, Sept } from "./sept.ts";

const halves = (gpa: number): [number, number] => [gpa >>> 0, Math.floor(gpa / 2 ** 32)];
const walk = (sept: Sept, gpa: number, level: number): Sept => {
  sept.walk(...halves(gpa), level);
  return sept;
};
const fresh = (levels = 4): Sept => {
  const sept = new Sept(2);
  sept.reset(levels, 99);
  sept.changed.clear();
  return sept;
};
/** Adds tables down to `level`. */
const tables = (sept: Sept, gpa: number, level: number): void => {
  for (let above = sept.levels - 1; above > level; above--) {
    walk(sept, gpa, above);
    if (sept.stateHere === 0) sept.addTable(1000 + sept.tableCount);
  }
};
const anyGpa = fc.bigInt(0n, 2n ** 40n - 1n).map((pfn) => Number(pfn) * 4096);

it("finds each page again, wherever it lies, in trees of 4 and 5 levels", () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyGpa, { maxLength: 30 }), (gpas) => {
      const sept = fresh(5);
      gpas.forEach((gpa, i) => {
        tables(sept, gpa, 0);
        walk(sept, gpa, 0).setLeaf(SEPT_PENDING, i + 1);
      });
      gpas.forEach((gpa, i) => {
        walk(sept, gpa, 0);
        expect([sept.level, sept.stateHere, sept.payloadHere, sept.unit]).toEqual([
          0,
          SEPT_PENDING,
          i + 1,
          Math.floor(gpa / 2 ** 21),
        ]);
      });
    }),
  );
});
it("ends the walk at the level asked for, or where the tables end", () => {
  const sept = fresh();
  const gpa = 0x1234_5678_9000 % 2 ** 47;
  expect([3, 2, 1, 0].map((level) => walk(sept, gpa, level).level)).toEqual([3, 3, 3, 3]);
  tables(sept, gpa, 1);
  expect([3, 2, 1, 0].map((level) => walk(sept, gpa, level).level)).toEqual([3, 2, 1, 1]);
  walk(sept, gpa, 2).setNonLeaf(SEPT_NL_BLOCKED, sept.tableHere);
  expect([3, 2, 1, 0].map((level) => walk(sept, gpa, level).level)).toEqual([3, 2, 2, 2]);
});
it("gives a removed table's slot to the next one, and an empty tree keeps only its root", () => {
  const sept = fresh();
  tables(sept, 0, 0);
  expect(sept.tableCount).toBe(4);
  expect(walk(sept, 0, 1).removeTable()).toBe(1003);
  expect(walk(sept, 0, 2).removeTable()).toBe(1002);
  tables(sept, 2 ** 40, 1);
  expect(sept.tableCount).toBe(4);
  expect(sept.tableFrame.subarray(0, 4)).toHaveLength(4);
  const again = walk(sept, 2 ** 40, 0);
  expect([again.level, again.stateHere]).toEqual([1, 0]);
});
it("keeps the counts that tell at once whether a unit is accepted", () => {
  const sept = fresh();
  tables(sept, 0, 0);
  for (let i = 0; i < 512; i++) walk(sept, i * 4096, 0).setLeaf(SEPT_PENDING, i);
  for (let i = 0; i < 511; i++) walk(sept, i * 4096, 0).setState(SEPT_MAPPED);
  expect([sept.mappedPages(0), sept.pendingPages(0)]).toEqual([511, 1]);
  walk(sept, 511 * 4096, 0).setState(SEPT_MAPPED);
  expect([sept.mappedPages(0), sept.pendingPages(0)]).toEqual([512, 0]);
  tables(sept, 2 ** 30, 1);
  walk(sept, 2 ** 30, 1).setLeaf(SEPT_MAPPED, 512);
  expect([sept.mappedPages(512), sept.pendingPages(512), sept.mappedPages(513)]).toEqual([512, 0, 0]);
});
it("lists the units whose leaves changed, and says when it cannot", () => {
  const sept = fresh();
  tables(sept, 0, 0);
  tables(sept, 2 ** 21, 1);
  sept.changed.clear();
  walk(sept, 0x1000, 0).setLeaf(SEPT_PENDING, 1);
  walk(sept, 0x2000, 0).setLeaf(SEPT_PENDING, 2);
  walk(sept, 2 ** 21, 1).setLeaf(SEPT_PENDING, 512);
  walk(sept, 2 ** 21, 1).setAcceptCounter(5);
  walk(sept, 0, 0).setLeaf(SEPT_PENDING, 3);
  const { changed } = sept;
  expect([...changed.units.subarray(0, changed.count)]).toEqual([0, 1, 0]);
  expect(changed.overflow).toBe(false);
  walk(sept, 0, 2).setNonLeaf(SEPT_NL_BLOCKED, sept.tableHere);
  expect(changed.overflow).toBe(true);
  changed.clear();
  for (let i = 0; i <= changed.units.length; i++) changed.add(i);
  expect([changed.count, changed.overflow]).toEqual([changed.units.length, true]);
});
it("keeps frames above 2^31 and the counter apart", () => {
  const sept = fresh();
  tables(sept, 0, 1);
  walk(sept, 0, 1).setLeaf(SEPT_PENDING, 0xffff_fe00);
  sept.setAcceptCounter(511);
  expect(sept.payloadHere).toBe(0xffff_ffff);
  expect(leafFrame(sept.payloadHere, 1)).toBe(0xffff_fe00);
  expect(leafFrame(0xffff_ffff, 0)).toBe(0xffff_ffff);
});
it("is empty again after a reset", () => {
  const sept = fresh();
  tables(sept, 0, 0);
  walk(sept, 0, 0).setLeaf(SEPT_MAPPED, 1);
  sept.reset(5, 7);
  expect([walk(sept, 0, 0).level, sept.stateHere, sept.levels, sept.tableCount]).toEqual([4, 0, 5, 1]);
  expect(
    sept
      .flat()
      .slice(1)
      .every((bytes) => bytes.every((byte) => byte === 0 || byte === 7)),
  ).toBe(true);
});
it("grows by doubling", () => {
  expect([capacityFor(0, 1), capacityFor(8, 8), capacityFor(8, 9), capacityFor(3, 20)]).toEqual([
    1, 8, 16, 24,
  ]);
});

it("ends a range of one state where the first entry of another state starts", () => {
  const PAGES = 3 * 512;
  const mapping = fc.record({
    /** Units that are one leaf of 2 MiB; the others have a table. */
    huge: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    states: fc.array(
      fc.record({ from: fc.nat(PAGES - 1), state: fc.constantFrom(0, SEPT_MAPPED, SEPT_PENDING) }),
      {
        maxLength: 6,
      },
    ),
    at: fc.nat(PAGES - 1),
    limit: fc.nat(4 * 512),
  });
  fc.assert(
    fc.property(mapping, ({ huge, states, at, limit }) => {
      const sept = fresh();
      const page = new Uint8Array(PAGES);
      for (const { from, state } of states) page.fill(state, from);
      for (let unit = 0; unit < 3; unit++) {
        const first = unit * 512;
        if (huge[unit]) page.fill(page[first]!, first, first + 512);
        tables(sept, first * 4096, huge[unit] ? 1 : 0);
        for (let p = first; p < first + (huge[unit] ? 1 : 512); p++)
          walk(sept, p * 4096, huge[unit] ? 1 : 0).setLeaf(page[p]!, 0);
      }
      const stateAt = (p: number): number => walk(sept, p * 4096, 0).stateHere;
      let end = at;
      while (end < limit && stateAt(end) === stateAt(at)) end++;
      expect(sept.endOfState(at * 4096, limit * 4096)).toBe((at < limit ? end : limit) * 4096);
    }),
  );
});
