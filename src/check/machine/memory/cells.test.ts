import fc from "fast-check";
import { expect, it } from "vitest";
import { Arena } from "./arena.ts";
import { Cells } from "./cells.ts";
import { LINE_WORDS } from "./line.ts";

const LINES = { inKey: [true, true, false], apart: [false, true, false] };

/** Four lines: the second is not saved, the third can be left out, the last one is no part of the key. */
const make = () => {
  const arena = new Arena([2 * LINE_WORDS * 4, 2 * LINE_WORDS * 4 - 3]);
  const words = arena.words.subarray(0, 4 * LINE_WORDS);
  return { words, cells: new Cells(arena, { lines: [0, 2, 3], ...LINES }) };
};
const UNSAVED = LINE_WORDS;
const APART = 2 * LINE_WORDS;
const UNKEYED = 3 * LINE_WORDS;

type Content = readonly number[];

/** Makes the saved lines hold something. */
const put = ({ words, cells }: ReturnType<typeof make>, content: Content): void => {
  cells.moves();
  for (const [cell, value] of content.entries()) words[cell < UNSAVED ? cell : cell + LINE_WORDS] = value;
};

const content: fc.Arbitrary<Content> = fc.array(
  fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff), fc.nat(0xffff_ffff)),
  { minLength: 3 * LINE_WORDS, maxLength: 3 * LINE_WORDS },
);

const fingerprintOf = (cells: Cells): number[] => {
  const halves = new Uint32Array(2);
  cells.fingerprint(halves);
  return [...halves];
};

it("comes back to any saved state from any other, also from the middle of a move", () => {
  fc.assert(
    fc.property(fc.array(content, { minLength: 1, maxLength: 6 }), fc.array(fc.nat(5)), (states, order) => {
      const machine = make();
      const { cells, words } = machine;
      const memory = new Uint8Array(cells.stateBytes * states.length);
      const saved = states.map((state, index) => {
        put(machine, state);
        const at = index * cells.stateBytes;
        return { at, length: cells.save(memory, at), words: [...words], halves: fingerprintOf(cells) };
      });
      for (const place of order) {
        const state = saved[place % saved.length]!;
        cells.moves();
        words.fill(7, 2 * LINE_WORDS + 3);
        cells.restore(memory, state.at, state.length);
        expect([[...words], fingerprintOf(cells)]).toEqual([state.words, state.halves]);
      }
    }),
  );
});

/** Content of few values, so that states of a chain agree in many lines. */
const similar: fc.Arbitrary<Content> = fc.array(fc.constantFrom(0, 0, 9), {
  minLength: 3 * LINE_WORDS,
  maxLength: 3 * LINE_WORDS,
});

it("reads a chain as it was written, also where the writer went back and elsewhere in between", () => {
  const step = fc.record({ state: similar, kept: fc.boolean(), from: fc.nat(9) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const writer = make();
      const [chain, whole] = [0, 1].map(() => new Uint8Array(writer.cells.stateBytes * steps.length));
      const lengths: number[] = [];
      const saved = steps.map(({ state, kept, from }, index) => {
        const at = index * writer.cells.stateBytes;
        put(writer, state);
        const length = writer.cells.saveNext(chain!, at, index === 0);
        lengths.push(writer.cells.save(whole!, at));
        const expected = [[...writer.words], fingerprintOf(writer.cells)];
        const other = from % (index + 1);
        if (kept) writer.cells.goBack();
        else writer.cells.restore(whole!, other * writer.cells.stateBytes, lengths[other]!);
        return { at, length, expected };
      });
      const reader = make();
      for (const [index, { at, length, expected }] of saved.entries()) {
        if (index === 0) reader.cells.restore(chain!, at, length);
        else reader.cells.restoreNext(chain!, at, length);
        expect([[...reader.words], fingerprintOf(reader.cells)]).toEqual(expected);
        put(reader, steps[0]!.state);
      }
    }),
  );
});

it("has one fingerprint and one key for one content, whatever came before", () => {
  fc.assert(
    fc.property(content, content, content, (first, second, third) => {
      const memory = new Uint8Array(make().cells.stateBytes);
      const ways = [[third], [first, third], [second, first, third]].map((states) => {
        const machine = make();
        const { cells } = machine;
        for (const state of states) {
          put(machine, state);
          cells.restore(memory, 0, cells.save(memory, 0));
          put(machine, state);
        }
        const key = new Uint8Array(cells.keyBytes);
        return [...fingerprintOf(cells), key.subarray(0, cells.key(key, 0)).join()];
      });
      expect(ways[1]).toEqual(ways[0]);
      expect(ways[2]).toEqual(ways[0]);
    }),
  );
});

it("leaves out of key and fingerprint what tells no states apart", () => {
  const { words, cells } = make();
  const key = new Uint8Array(cells.keyBytes);
  words[UNKEYED] = 5;
  expect([cells.key(key, 0), fingerprintOf(cells)]).toEqual([0, [0, 0]]);
  cells.moves();
  words[UNKEYED - 1] = 5;
  expect(cells.key(key, 0)).toBe(8);
  expect(fingerprintOf(cells)[0]).not.toBe(0);
});

it("with lines left out tells what it tells without them, and then all of it as before", () => {
  fc.assert(
    fc.property(content, content, (origin, now) => {
      const machine = make();
      const { cells, words } = machine;
      const key = new Uint8Array(cells.keyBytes);
      const told = () => [fingerprintOf(cells), key.subarray(0, cells.key(key, 0)).join()];
      const memory = new Uint8Array(cells.stateBytes);
      put(machine, origin);
      const length = cells.save(memory, 0);
      cells.restore(memory, 0, length);
      put(machine, now);
      const all = told();
      cells.leaveOut(true);
      const without = told();
      cells.moves();
      words.fill(7, APART, APART + LINE_WORDS);
      expect(told()).toEqual(without);
      put(machine, now);
      cells.leaveOut(false);
      expect(told()).toEqual(all);
      cells.goBack();
      cells.leaveOut(true);
      put(machine, now);
      expect(told()).toEqual(without);
    }),
  );
});

it("goes back to where it began, and leaves alone what it does not save", () => {
  const { words, cells } = make();
  cells.moves();
  words[0] = 3;
  words[UNSAVED] = 4;
  cells.reset();
  expect([words[0], words[UNSAVED]]).toEqual([0, 4]);
});
