import fc from "fast-check";
import { expect, it } from "vitest";
import { LINE_WORDS } from "./line.ts";
import { BlockWriter, blockWords, lineOf, linesFilled, maskOf } from "./saved-state.ts";

/** Blocks written line by line, as the words that each line holds; the base is all zero. */
const written = (lines: readonly (readonly number[])[]) => {
  const words = Uint32Array.from(lines.flat());
  const base = new Uint32Array(words.length);
  const to = new Uint32Array(words.length * 2);
  const writer = new BlockWriter();
  writer.begin(to, 0);
  for (const line of lines.keys()) writer.line(line, words, line * LINE_WORDS, base, line * LINE_WORDS);
  return to.subarray(0, writer.used);
};

const read = (blocks: Uint32Array, lines: number): number[] => {
  const words = new Array<number>(lines * LINE_WORDS).fill(0);
  for (let at = 0; at < blocks.length; at += blockWords(blocks[at]!)) {
    const header = blocks[at]!;
    const first = lineOf(header) * LINE_WORDS;
    const filled = linesFilled(header);
    if (filled > 0) words.fill(blocks[at + 1]!, first, first + filled * LINE_WORDS);
    let value = at + 1;
    for (let word = 0; word < LINE_WORDS; word++)
      if ((maskOf(header) & (1 << word)) !== 0) words[first + word] = blocks[value++]!;
  }
  return words;
};

const word = fc.constantFrom(0, 0, 1, 0xffff_ffff);
const mixed = fc.array(word, { minLength: LINE_WORDS, maxLength: LINE_WORDS });
const uniform = word.map((value) => new Array<number>(LINE_WORDS).fill(value));

it("what is written reads as it was", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(mixed, uniform), { maxLength: 30 }), (lines) => {
      expect(read(written(lines), lines.length)).toEqual(lines.flat());
    }),
  );
});

it("lines of one value take two words, up to 255 of them", () => {
  const ones = Array.from({ length: 300 }, () => new Array<number>(LINE_WORDS).fill(1));
  expect(written(ones.slice(0, 255)).length).toBe(2);
  expect(written(ones).length).toBe(4);
});

it("a line that is as in the base takes none, and two words of one take three", () => {
  expect(written([new Array<number>(LINE_WORDS).fill(0)]).length).toBe(0);
  expect([...written([[5, 0, 0, 7, 0, 0, 0, 0]])]).toEqual([0b1001, 5, 7]);
});
