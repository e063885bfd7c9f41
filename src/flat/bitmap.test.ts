import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BitRun,
  clearBit,
  clearRange,
  countSet,
  findEndOfBoth,
  findEndOfOnlyFirst,
  findNextBoth,
  findNextClear,
  findNextOnlyFirst,
  findNextSet,
  getBit,
  setBit,
  setRange,
  setRuns,
} from "./bitmap.ts";

/** A window into a larger buffer whose other bytes are poisoned, so a stray access shows. */
const POISON = 0xa5;
const windowOf = (
  content: readonly number[],
  offset: number,
): { window: Uint8Array; around: () => number[] } => {
  const buffer = new Uint8Array(offset + content.length + 16).fill(POISON);
  buffer.set(content, offset);
  const window = buffer.subarray(offset, offset + content.length);
  const around = () => [...buffer.subarray(0, offset), ...buffer.subarray(offset + content.length)];
  return { window, around };
};

const bitsOf = (bytes: Uint8Array): boolean[] =>
  Array.from({ length: bytes.length * 8 }, (_, n) => ((bytes[Math.floor(n / 8)]! >> (n % 8)) & 1) === 1);

/** First n of [from, nbits) for which `holds`, or nbits. */
const search = (nbits: number, from: number, holds: (n: number) => boolean): number => {
  for (let n = from; n < nbits; n++) if (holds(n)) return n;
  return nbits;
};

/** Bytes with long uniform stretches, so that searches cross words, steps of words and the tails behind them. */
const stretches = fc
  .array(
    fc.record({
      value: fc.oneof(fc.constantFrom(0, 0xff, 0x80, 0x01, 0x7f, 0xfe), fc.integer({ min: 0, max: 255 })),
      count: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 400 })),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.flatMap(({ value, count }) => new Array<number>(count).fill(value)));

const bitmap = fc.record({
  content: stretches,
  offset: fc.integer({ min: 0, max: 17 }),
  cut: fc.integer({ min: 0, max: 7 }),
});
const fraction = fc.double({ min: 0, max: 1, noNaN: true });
const at = (f: number, nbits: number): number => Math.floor(f * (nbits + 1));

describe("one bitmap", () => {
  it("a search gives the first bit that a walk over single bits gives", () => {
    fc.assert(
      fc.property(bitmap, fraction, ({ content, offset, cut }, f) => {
        const { window } = windowOf(content, offset);
        const nbits = content.length * 8 - cut;
        const from = at(f, nbits);
        const bits = bitsOf(window);
        expect(findNextSet(window, nbits, from)).toBe(search(nbits, from, (n) => bits[n]!));
        expect(findNextClear(window, nbits, from)).toBe(search(nbits, from, (n) => !bits[n]));
      }),
      { numRuns: 2000 },
    );
  });

  it("setting, clearing and counting a range touches these bits and nothing around them", () => {
    fc.assert(
      fc.property(bitmap, fraction, fraction, ({ content, offset }, f, g) => {
        const nbits = content.length * 8;
        const [from, to] = [at(f, nbits), at(g, nbits)];
        const bits = bitsOf(Uint8Array.from(content));
        const inside = (n: number) => from <= n && n < to;

        const set = windowOf(content, offset);
        setRange(set.window, from, to);
        expect(bitsOf(set.window)).toEqual(bits.map((bit, n) => bit || inside(n)));
        expect(set.around().every((byte) => byte === POISON)).toBe(true);

        const clear = windowOf(content, offset);
        clearRange(clear.window, from, to);
        expect(bitsOf(clear.window)).toEqual(bits.map((bit, n) => bit && !inside(n)));
        expect(clear.around().every((byte) => byte === POISON)).toBe(true);

        const { window } = windowOf(content, offset);
        expect(countSet(window, from, to)).toBe(bits.filter((bit, n) => bit && inside(n)).length);
      }),
      { numRuns: 300 },
    );
  });

  it("a single bit is read, set and cleared in its byte, least significant first", () => {
    const bytes = new Uint8Array(3);
    setBit(bytes, 10);
    expect([...bytes]).toEqual([0, 4, 0]);
    expect([getBit(bytes, 9), getBit(bytes, 10), getBit(bytes, 11)]).toEqual([false, true, false]);
    setBit(bytes, 23);
    clearBit(bytes, 10);
    expect([...bytes]).toEqual([0, 0, 0x80]);
  });

  it("the runs are the maximal stretches of set bits", () => {
    fc.assert(
      fc.property(bitmap, ({ content, offset, cut }) => {
        const { window } = windowOf(content, offset);
        const nbits = content.length * 8 - cut;
        const rebuilt = new Uint8Array(content.length);
        let last: BitRun = { start: -1, end: -1 };
        for (const run of setRuns(window, nbits)) {
          expect(run.start).toBeGreaterThan(last.end);
          setRange(rebuilt, run.start, run.end);
          last = run;
        }
        expect(bitsOf(rebuilt).slice(0, nbits)).toEqual(bitsOf(window).slice(0, nbits));
      }),
      { numRuns: 500 },
    );
  });

  it("a lone bit 63 of a word is found: a double would read it as -0", () => {
    for (const offset of [0, 1, 7]) {
      const { window } = windowOf(new Array<number>(1024).fill(0), offset);
      for (const n of [63, 511, 64 * 64 - 1, 8191]) {
        setBit(window, n);
        expect(findNextSet(window, 8192, 0)).toBe(n);
        clearBit(window, n);
      }
      expect(findNextSet(window, 8192, 0)).toBe(8192);
    }
  });
});

describe("two bitmaps", () => {
  const pair = fc.record({
    a: stretches,
    b: stretches,
    offsetA: fc.integer({ min: 0, max: 9 }),
    offsetB: fc.integer({ min: 0, max: 9 }),
    cut: fc.integer({ min: 0, max: 7 }),
  });

  it("runs of (a AND b) and of (a AND NOT b) are those of a walk over single bits", () => {
    fc.assert(
      fc.property(pair, fraction, ({ a, b, offsetA, offsetB, cut }, f) => {
        const length = Math.min(a.length, b.length);
        const one = windowOf(a.slice(0, length), offsetA).window;
        const two = windowOf(b.slice(0, length), offsetB).window;
        const nbits = length * 8 - cut;
        const from = at(f, nbits);
        const [x, y] = [bitsOf(one), bitsOf(two)];
        const both = (n: number) => x[n]! && y[n]!;
        const onlyFirst = (n: number) => x[n]! && !y[n];
        expect(findNextBoth(one, two, nbits, from)).toBe(search(nbits, from, both));
        expect(findEndOfBoth(one, two, nbits, from)).toBe(search(nbits, from, (n) => !both(n)));
        expect(findNextOnlyFirst(one, two, nbits, from)).toBe(search(nbits, from, onlyFirst));
        expect(findEndOfOnlyFirst(one, two, nbits, from)).toBe(search(nbits, from, (n) => !onlyFirst(n)));
      }),
      { numRuns: 2000 },
    );
  });
});

it("a bitmap of 256 MiB, which covers 4 PiB, has 2^31 bits and each is reachable", () => {
  const nbits = 2 ** 31;
  const bytes = new Uint8Array(nbits / 8);
  expect(findNextSet(bytes, nbits, 0)).toBe(nbits);
  setRange(bytes, nbits - 3, nbits);
  expect(findNextSet(bytes, nbits, 5)).toBe(nbits - 3);
  expect(findNextClear(bytes, nbits, nbits - 2)).toBe(nbits);
  expect(countSet(bytes, 2 ** 30 + 1, nbits)).toBe(3);
  clearBit(bytes, nbits - 1);
  expect(getBit(bytes, nbits - 1)).toBe(false);
  expect([...setRuns(bytes, nbits)]).toEqual([{ start: nbits - 3, end: nbits - 1 }]);
});
