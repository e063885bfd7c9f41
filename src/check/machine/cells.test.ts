import fc from "fast-check";
import { expect, it } from "vitest";
import { Cells } from "./cells.ts";

/** Ten words and five bytes, of which word 3 and byte 1 do not change, and word 9 is no part of the key. */
const make = () => {
  const words = new Uint32Array(10);
  const bytes = new Uint8Array(5);
  const cells = new Cells([
    { words, places: [0, 1, 2, 4, 5, 6, 7, 8, 9], inKey: (place) => place !== 9 },
    { words: bytes, places: [0, 2, 3, 4], inKey: () => true },
  ]);
  return { words, bytes, cells };
};

type Content = readonly [words: readonly number[], bytes: readonly number[]];

const put = ({ words, bytes }: ReturnType<typeof make>, [some, few]: Content): void => {
  for (const [place, value] of some.entries()) if (place !== 3) words[place] = value;
  for (const [place, value] of few.entries()) if (place !== 1) bytes[place] = value;
};

const content: fc.Arbitrary<Content> = fc.tuple(
  fc.array(fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff), fc.nat(0xffff_ffff)), {
    minLength: 10,
    maxLength: 10,
  }),
  fc.array(fc.nat(255), { minLength: 5, maxLength: 5 }),
);

it("comes back to any saved state from any other", () => {
  fc.assert(
    fc.property(fc.array(content, { minLength: 1, maxLength: 6 }), fc.array(fc.nat(5)), (states, order) => {
      const machine = make();
      const { cells, words, bytes } = machine;
      const memory = new Uint8Array(cells.stateBytes * states.length);
      const saved = states.map((state, index) => {
        put(machine, state);
        cells.look();
        const halves = new Uint32Array(2);
        cells.fingerprint(halves);
        const at = index * cells.stateBytes;
        return { at, length: cells.save(memory, at), words: [...words], bytes: [...bytes], halves };
      });
      for (const place of order) {
        const state = saved[place % saved.length]!;
        words.fill(7, 4);
        words[3] = 0;
        cells.restore(memory, state.at, state.length);
        const halves = new Uint32Array(2);
        cells.fingerprint(halves);
        expect([[...words], [...bytes], halves]).toEqual([state.words, state.bytes, state.halves]);
      }
    }),
  );
});

it("has one fingerprint and one key for one content, whatever came before", () => {
  fc.assert(
    fc.property(content, content, content, (first, second, third) => {
      const ways = [
        [first, third],
        [second, first, third],
      ].map((states) => {
        const machine = make();
        for (const state of states) {
          put(machine, state);
          machine.cells.look();
        }
        const halves = new Uint32Array(2);
        machine.cells.fingerprint(halves);
        const key = new Uint8Array(machine.cells.keyBytes);
        return [...halves, key.subarray(0, machine.cells.key(key, 0)).join()];
      });
      expect(ways[0]).toEqual(ways[1]);
    }),
  );
});

it("leaves out of key and fingerprint what tells no states apart", () => {
  const { words, cells } = make();
  const key = new Uint8Array(cells.keyBytes);
  const halves = new Uint32Array(2);
  words[9] = 5;
  cells.look();
  cells.fingerprint(halves);
  expect([cells.key(key, 0), [...halves]]).toEqual([0, [0, 0]]);
  words[8] = 5;
  cells.look();
  cells.fingerprint(halves);
  expect(cells.key(key, 0)).toBe(8);
  expect(halves[0]).not.toBe(0);
});

it("goes back to where it began", () => {
  const { words, cells } = make();
  words[0] = 3;
  cells.look();
  cells.reset();
  expect(words[0]).toBe(0);
});
