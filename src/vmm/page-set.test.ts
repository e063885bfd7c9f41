import fc from "fast-check";
import { expect, it } from "vitest";
import { PageSet } from "./page-set.ts";

const PAGES = 512 * 3 + 100;

it("agrees with a plain set of numbers after any changes", () => {
  const change = fc.record({
    put: fc.boolean(),
    at: fc.integer({ min: 0, max: PAGES }),
    length: fc.oneof(fc.constant(1), fc.constant(512), fc.integer({ min: 0, max: PAGES })),
    aligned: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), fc.boolean(), (changes, full) => {
      const set = new PageSet(PAGES, full);
      const plain = new Set<number>(full ? Array.from({ length: PAGES }, (_, page) => page) : []);
      for (const { put, at, length, aligned } of changes) {
        const from = Math.min(PAGES, aligned ? at - (at % 512) : at);
        const to = Math.min(PAGES, from + length);
        const before = plain.size;
        for (let page = from; page < to; page++) put ? plain.add(page) : plain.delete(page);
        const changed = put
          ? to - from === 1
            ? Number(set.add(from))
            : set.addRange(from, to)
          : set.removeRange(from, to);
        expect(changed).toBe(Math.abs(plain.size - before));
        expect(set.count).toBe(plain.size);
      }
      const all = Array.from({ length: PAGES }, (_, page) => page);
      expect(all.filter((page) => set.has(page))).toEqual(all.filter((page) => plain.has(page)));
      const half = Math.floor(PAGES / 2) + changes.length;
      expect(set.countIn(half, PAGES)).toBe([...plain].filter((page) => page >= half).length);
      expect([...walk(set, true)]).toEqual(all.filter((page) => plain.has(page)));
      expect([...walk(set, false)]).toEqual(all.filter((page) => !plain.has(page)));
    }),
  );
});

function* walk(set: PageSet, present: boolean): Generator<number> {
  const next = (from: number): number => (present ? set.next(from, PAGES) : set.nextMissing(from, PAGES));
  for (let page = next(0); page < PAGES; page = next(page + 1)) yield page;
}

it("costs no bitmap for units that are in it wholly or not at all", () => {
  const set = new PageSet(2 ** 30);
  set.addRange(0, 2 ** 29);
  expect([set.count, set.flat()[2]!.length]).toEqual([2 ** 29, 0]);
});

it("gives a bitmap back when its unit becomes full or empty one page at a time", () => {
  const set = new PageSet(4096);
  for (let page = 0; page < 4096; page++) set.add(page);
  expect(set.flat()[2]!.length).toBe(64);
  expect(set.hasUnit(7)).toBe(true);
});

it("is restored from its bytes", () => {
  const set = new PageSet(PAGES);
  set.addRange(3, 700);
  set.add(1599);
  const saved = set.flat().map((bytes) => bytes.slice());
  const twin = new PageSet(PAGES);
  twin.flat()[0]!.set(saved[0]!);
  twin.reserve();
  for (const [i, bytes] of twin.flat().entries()) bytes.set(saved[i]!);
  expect([...walk(twin, true)]).toEqual([...walk(set, true)]);
  twin.removeRange(0, PAGES);
  expect(set.count).toBe(698);
});
