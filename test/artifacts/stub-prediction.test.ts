import fc from "fast-check";
import { expect, it } from "vitest";
import { predictTable } from "../../src/artifacts/map/stub-table.ts";
import { boot, srat, unaccepted } from "../../src/efi-stub/boot-for-test.ts";

const GIB = 2 ** 30;
const PAGE = 4096;

/** Ranges of whole pages from `from` on, apart from one another. */
const ranges = (from: number) =>
  fc
    .array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 3000 })), {
      minLength: 1,
      maxLength: 4,
    })
    .map((pairs) => {
      let at = from;
      return pairs.map(([gap, pages]) => {
        const start = at + gap * PAGE;
        at = start + pages * PAGE;
        return { start, end: at };
      });
    });

it("the table that is predicted is the one that the stub makes", () => {
  fc.assert(
    fc.property(ranges(4 * GIB), ranges(8 * GIB), (memory, hotplug) => {
      const map = memory.map(({ start, end }) => unaccepted(start, end));
      const table = srat(...hotplug.map(({ start, end }) => [start, end - start] as const));
      const first = boot({ map, firmware: { acpiTables: [table] } }).view;
      const second = boot({ map, firmware: { acpiTables: [table] }, options: { tableVersion: 2 } }).view;
      const shown = (view: typeof first) => [view?.physBase, view?.windowEnd, view?.size];
      const predicted = [predictTable(1, memory), predictTable(2, [...memory, ...hotplug])];
      expect([shown(first), shown(second)]).toEqual(
        predicted.map((window) => [window?.start, window?.end, window?.size]),
      );
    }),
    { numRuns: 50 },
  );
});
