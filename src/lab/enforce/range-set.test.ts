import fc from "fast-check";
import { expect, it } from "vitest";
import { RangeSet } from "./range-set.ts";

const SIZE = 40;
const change = fc.record({
  add: fc.boolean(),
  start: fc.nat({ max: SIZE - 1 }),
  length: fc.nat({ max: 12 }),
});

it("a range set holds what a list of booleans holds, in the fewest ranges", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const set = new RangeSet();
      const bytes = new Array<boolean>(SIZE + 12).fill(false);
      for (const { add, start, length } of changes) {
        if (add) set.add(start, start + length);
        else set.subtract(start, start + length);
        bytes.fill(add, start, start + length);
        expect(bytes.every((held, at) => set.has(at) === held)).toBe(true);
        const ends = set.ranges.map(({ end }) => end);
        expect(set.ranges.slice(1).every(({ start: next }, i) => next > ends[i]!)).toBe(true);
      }
    }),
  );
});

it("a change names the ranges that went and those that came", () => {
  const set = new RangeSet();
  expect(set.add(10, 20)).toEqual({ removed: [], added: [{ start: 10, end: 20 }] });
  expect(set.add(12, 18)).toEqual({ removed: [], added: [] });
  expect(set.subtract(14, 16)).toEqual({
    removed: [{ start: 10, end: 20 }],
    added: [
      { start: 10, end: 14 },
      { start: 16, end: 20 },
    ],
  });
  expect(set.add(14, 16)).toEqual({
    removed: [
      { start: 10, end: 14 },
      { start: 16, end: 20 },
    ],
    added: [{ start: 10, end: 20 }],
  });
  expect(set.subtract(30, 40)).toEqual({ removed: [], added: [] });
});
