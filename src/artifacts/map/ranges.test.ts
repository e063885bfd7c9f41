import fc from "fast-check";
import { expect, it } from "vitest";
import type { Range } from "../facts.ts";
import { difference, intersection, total, union } from "./ranges.ts";

const LIMIT = 40;
const ranges = fc.array(
  fc
    .tuple(fc.nat(LIMIT), fc.nat(LIMIT))
    .map(([a, b]): Range => ({ start: Math.min(a, b), end: Math.max(a, b) })),
  { maxLength: 8 },
);

/** Every address that any of the ranges holds, one by one. */
const addresses = (all: readonly Range[]): Set<number> => {
  const set = new Set<number>();
  for (const { start, end } of all) for (let at = start; at < end; at++) set.add(at);
  return set;
};

const isNormal = (all: readonly Range[]): boolean =>
  all.every(({ start, end }, i) => start < end && (i === 0 || all[i - 1]!.end < start));

it("set algebra on ranges is that on their addresses, and its results ascend and do not touch", () => {
  fc.assert(
    fc.property(ranges, ranges, (a, b) => {
      const [one, two] = [addresses(a), addresses(b)];
      expect(addresses(union([...a, ...b]))).toEqual(new Set([...one, ...two]));
      expect(addresses(union(a))).toEqual(one);
      expect(addresses(intersection(a, b))).toEqual(new Set([...one].filter((at) => two.has(at))));
      expect(addresses(difference(a, b))).toEqual(new Set([...one].filter((at) => !two.has(at))));
      expect(total(a)).toBe(one.size);
      for (const result of [union(a), intersection(a, b), difference(a, b)])
        expect(isNormal(result)).toBe(true);
    }),
  );
});
