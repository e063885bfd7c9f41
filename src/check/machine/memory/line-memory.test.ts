import fc from "fast-check";
import { expect, it } from "vitest";
import { Arena } from "./arena.ts";
import { LINE_BYTES, LINE_WORDS, WRITTEN_BYTES } from "./line.ts";
import { Mirror } from "./mirror.ts";

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

it("hashes and puts back lines in the same way with and without vectors", () => {
  fc.assert(
    fc.property(lines, writes, fc.array(fc.boolean(), { minLength: LINES }), (some, writes, hashed) => {
      const watched = some.sort((a, b) => a - b);
      const [fast, slow] = [true, false].map((vectors) => {
        const arena = new Arena([LINES * LINE_WORDS * 4], vectors);
        const mirror = new Mirror(arena, watched, undefined, hashed.slice(0, watched.length));
        for (const [place, value] of writes) arena.words[place] = value;
        mirror.compare();
        const halves = Uint32Array.of(5, 7);
        mirror.hash(halves);
        mirror.putBack();
        return { halves: [...halves], words: [...arena.words.subarray(0, LINES * LINE_WORDS)] };
      });
      expect(fast).toEqual(slow);
      for (const [place, value] of writes) {
        const put = watched.includes(Math.floor(place / LINE_WORDS));
        if (put) expect(fast!.words[place]).toBe(0);
        else expect(fast!.words[place]).toBe(new Map(writes).get(place) ?? value);
      }
    }),
  );
});

it("writes and reads what differs from another copy in the same way with and without vectors", () => {
  const content = fc.array(fc.constantFrom(0, 0, 0, 5), {
    minLength: LINES * LINE_WORDS,
    maxLength: LINES * LINE_WORDS,
  });
  fc.assert(
    fc.property(content, content, (before, after) => {
      const numbers = Array.from({ length: LINES }, (_, line) => line);
      const [fast, slow] = [true, false].map((vectors) => {
        const arena = new Arena([LINES * LINE_WORDS * 4], vectors);
        const { words } = arena;
        const mirror = new Mirror(arena, numbers);
        const [list, other, out] = [LINES * 4, LINES * LINE_BYTES, LINES * WRITTEN_BYTES + 4].map((bytes) =>
          arena.take(bytes),
        );
        words.set(numbers, list! / 4);
        words.set(before, other! / 4);
        mirror.copy.set(before);
        words.set(after);
        const end = mirror.write(list!, list! + 4 * LINES, other!, out!);
        mirror.read(out!, end);
        expect([...words.subarray(other! / 4, other! / 4 + LINES * LINE_WORDS)]).toEqual(after);
        expect([...mirror.copy]).toEqual(after);
        const blocks = [...words.subarray(out! / 4, end / 4)];
        return { blocks, differing: [...mirror.differing.subarray(0, mirror.count)] };
      });
      expect(fast).toEqual(slow);
    }),
  );
});

it("a hash depends on each bit of a line, and on which line it is", () => {
  const hashes = new Set<string>();
  for (const line of [0, 1])
    for (let bit = 0; bit < LINE_WORDS * 32; bit++) {
      const arena = new Arena([2 * LINE_WORDS * 4]);
      const mirror = new Mirror(arena, [0, 1], undefined, [true, true]);
      arena.words[line * LINE_WORDS + (bit >> 5)] = 2 ** (bit % 32);
      mirror.compare();
      const halves = new Uint32Array(2);
      mirror.hash(halves);
      hashes.add(halves.join());
      expect(Math.min(halves[0]!, halves[1]!)).toBeGreaterThan(0);
    }
  expect(hashes.size).toBe(2 * LINE_WORDS * 32);
});

it("compares the groups that are asked for, and finds of each the lines in order", () => {
  const arena = new Arena([4 * LINE_WORDS * 4]);
  const mirror = new Mirror(arena, [0, 2, 1, 3], [0, 0, 1, 2]);
  arena.words.fill(1, 0, 4 * LINE_WORDS);
  const found = () => [...mirror.differing.subarray(0, mirror.count)];
  mirror.compareGroups(0, 1);
  expect(found()).toEqual([0, 1]);
  mirror.compareToo(2, 3);
  expect(found()).toEqual([0, 1, 3]);
  mirror.compareGroups(1, 2);
  expect(found()).toEqual([2]);
});
