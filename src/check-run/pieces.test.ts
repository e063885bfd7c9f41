import fc from "fast-check";
import { expect, it } from "vitest";
import { recordBytes } from "../check/segment.ts";
import { cutLevel } from "./pieces.ts";

/** A segment of records with states of these lengths, whose numbers go on from `first`. */
const segment = (lengths: readonly number[], first: number) => {
  const used = lengths.reduce((sum, length) => sum + recordBytes(length), 0);
  const buffer = new SharedArrayBuffer(used + 64);
  const words = new Uint32Array(buffer);
  let at = 0;
  for (const [index, length] of lengths.entries()) {
    words.set([first + index, length], at >>> 2);
    at += recordBytes(length);
  }
  return { buffer, begin: 0, used };
};

const numbersOf = ({ buffer, begin, used }: { buffer: SharedArrayBuffer; begin: number; used: number }) => {
  const words = new Uint32Array(buffer);
  const numbers: number[] = [];
  for (let at = begin; at < used; at += recordBytes(words[(at >>> 2) + 1]!)) numbers.push(words[at >>> 2]!);
  return numbers;
};

it("every record is in one piece, in order, and each segment knows how many pieces it has", () => {
  const levels = fc.array(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 40 }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(levels, fc.integer({ min: 1, max: 8 }), (level, threads) => {
      let first = 0;
      const segments = level.map((lengths) => {
        first += lengths.length;
        return segment(lengths, first - lengths.length);
      });
      const { pieces, left } = cutLevel(segments, threads);
      expect(pieces.flatMap(numbersOf)).toEqual(Array.from({ length: first }, (_, number) => number));
      const counts = segments.map(({ buffer }) => pieces.filter((piece) => piece.buffer === buffer).length);
      expect([...new Int32Array(left)]).toEqual(counts);
      for (const piece of pieces) expect(segments[piece.segment]!.buffer).toBe(piece.buffer);
    }),
  );
});

it("a level of one segment keeps several threads busy", () => {
  const { pieces } = cutLevel(
    [
      segment(
        Array.from({ length: 100 }, () => 40),
        0,
      ),
    ],
    2,
  );
  expect(pieces.length).toBeGreaterThanOrEqual(14);
});

it("a chain of records is not cut", () => {
  const chained = 0x8000_0000;
  const { buffer, ...rest } = segment(
    Array.from({ length: 96 }, () => 40),
    0,
  );
  const words = new Uint32Array(buffer);
  for (let record = 0; record < 96; record++)
    if (record % 32 > 0) words[(record * recordBytes(40)) / 4 + 1]! |= chained;
  const { pieces } = cutLevel([{ buffer, ...rest }], 2);
  expect(pieces.map(({ begin }) => begin)).toEqual([0, 32, 64].map((record) => record * recordBytes(40)));
});
