import fc from "fast-check";
import { expect, it } from "vitest";
import { flatSize, loadFlat, saveFlat } from "../flat/flat-range.ts";
import { SCRAMBLED_CONTENT, TagStore } from "./page-store.ts";

const write = fc.record({
  block: fc.nat(2),
  first: fc.constantFrom(0, 0, 1, 2, 510, 511),
  count: fc.constantFrom(1, 1, 2, 511, 512),
  tag: fc.constantFrom(0, 0, 1, 2, 254),
});

it("behaves as one tag a frame, and so does a copy of its bytes", () => {
  fc.assert(
    fc.property(fc.array(write, { maxLength: 40 }), (writes) => {
      const store = new TagStore();
      const model = new Uint8Array(3 * 512);
      for (const { block, first, count, tag } of writes) {
        const run = Math.min(count, 512 - first);
        store.tags.fill(block * 512 + first, run, tag);
        model.fill(tag, block * 512 + first, block * 512 + first + run);
      }
      const bytes = new Uint8Array(flatSize(store.tags));
      saveFlat(store.tags, bytes, 0);
      const copy = new TagStore();
      copy.stamp(9999, 3);
      loadFlat(copy.tags, bytes, 0);
      expect(Uint8Array.from(model, (_, frame) => store.content(frame))).toEqual(model);
      expect(Uint8Array.from(model, (_, frame) => copy.content(frame))).toEqual(model);
      expect(copy.content(9999)).toBe(0);
    }),
    { numRuns: 300 },
  );
});
it("folds a block as soon as its frames are equal again, however that came about", () => {
  const store = new TagStore();
  for (let i = 0; i < 512; i++) store.stamp(i, 5);
  const folded = new TagStore();
  folded.stampRun(0, 512, 5);
  expect(store.tags.chunksInUse).toBe(0);
  expect(folded.tags.chunksInUse).toBe(0);
  store.stamp(100, 6);
  expect(store.tags.chunksInUse).toBe(1);
  store.zero(0, 512);
  expect(store.tags.chunksInUse).toBe(0);
});
it("copies, zeroes and scrambles", () => {
  const store = new TagStore();
  store.stamp(1000, 9);
  store.copy(3, 1000);
  expect([store.content(3), store.content(4)]).toEqual([9, 0]);
  store.scramble(3, 1);
  expect(store.content(3)).toBe(SCRAMBLED_CONTENT);
  store.zero(3, 1);
  expect(store.content(3)).toBe(0);
});
