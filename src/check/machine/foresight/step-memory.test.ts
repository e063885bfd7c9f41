import fc from "fast-check";
import { expect, it } from "vitest";
import { KNOWN, StepMemory } from "./step-memory.ts";

/** Words of the longest step: the log holds sixteen of these. */
const LONGEST = 2 ** 19;

it("has of a step what was kept of it last, or nothing", () => {
  const step = fc.record({ low: fc.nat(9), kind: fc.nat(99), words: fc.integer({ min: 2, max: LONGEST }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const memory = new StepMemory(LONGEST);
      const last = new Map<number, { number: number; kind: number; words: number }>();
      for (const [number, { low, kind, words }] of steps.entries()) {
        const begin = memory.room();
        memory.log[begin] = number;
        memory.log[begin + words - 1] = number + 1;
        memory.keep(low, low + 1, kind, number, 7, begin + words);
        last.set(low, { number, kind, words });
        for (const [low, { number, kind, words }] of last) {
          const slot = memory.find(low, low + 1);
          if (slot < 0) continue;
          const [first, end] = [memory.begin(slot), memory.end(slot)];
          const there = [memory.kind(slot), memory.changeLow(slot), end - first, memory.log[first]];
          expect([...there, memory.log[end - 1]]).toEqual([kind, number, words, number, number + 1]);
        }
        expect(memory.find(low, low + 1)).toBeGreaterThanOrEqual(0);
      }
      // The newest fill half the log at most, and nothing wrote over them.
      let filled = 0;
      for (const { low, words } of [...steps].reverse()) {
        filled += words + LONGEST;
        if (filled > memory.log.length) break;
        expect(memory.find(low, low + 1)).toBeGreaterThanOrEqual(0);
      }
    }),
    { numRuns: 30 },
  );
});

it("tells a step from another one in its slot, and what is noted of it", () => {
  const memory = new StepMemory(1);
  expect(memory.find(0, 0)).toBe(-1);
  memory.note(5, 6, KNOWN.DISABLED, 3);
  const slot = memory.find(5, 6);
  expect([memory.what(slot), memory.kind(slot), memory.find(5, 7), memory.find(6, 6)]).toEqual([
    KNOWN.DISABLED,
    3,
    -1,
    -1,
  ]);
  memory.note(5, 7, KNOWN.MORE, 4);
  expect([memory.find(5, 6), memory.what(memory.find(5, 7))]).toEqual([-1, KNOWN.MORE]);
});
