import fc from "fast-check";
import { expect, it } from "vitest";
import { Arena, Mirror } from "./arena.ts";
import { LINE_WORDS } from "./line-compare.ts";

const LINES = 12;
const lines = fc.uniqueArray(fc.nat(LINES - 1), { maxLength: LINES });
const writes = fc.array(fc.tuple(fc.nat(LINES * LINE_WORDS - 1), fc.constantFrom(0, 1, 0x8000_0000)));

/** Lines of a mirror that differ after some writes, as the arena finds them. */
const differing = (vectors: boolean, watched: readonly number[], writes: [number, number][]): number[] => {
  const arena = new Arena([LINES * LINE_WORDS * 4], vectors);
  const mirror = new Mirror(arena, watched);
  for (const [place, value] of writes) arena.words[place] = value;
  return [...mirror.differing.subarray(0, mirror.compare())].map((line) => watched[line]!);
};

it.each([true, false])("finds exactly the lines that differ, with vectors: %s", (vectors) => {
  fc.assert(
    fc.property(lines, writes, (some, writes) => {
      const watched = some.sort((a, b) => a - b);
      const words = new Map(writes);
      const expected = watched.filter((line) =>
        [...words].some(([place, value]) => value !== 0 && Math.floor(place / LINE_WORDS) === line),
      );
      expect(differing(vectors, watched, writes)).toEqual(expected);
    }),
  );
});

it("sees each single bit of a line", () => {
  for (let bit = 0; bit < LINE_WORDS * 32; bit++)
    expect(differing(true, [1, 3], [[3 * LINE_WORDS + (bit >> 5), 2 ** (bit % 32)]])).toEqual([3]);
});
