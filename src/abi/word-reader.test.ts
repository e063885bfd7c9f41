import fc from "fast-check";
import { expect, it } from "vitest";
import { type Bits, bitMask } from "./word.ts";
import { anyBitSet, fromHalves, hiHalf, loHalf, reader } from "./word-reader.ts";

const any64 = fc.bigInt(0n, 2n ** 64n - 1n);
const bits = fc
  .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 0, max: 52 }))
  .map(([low, length]): Bits => [Math.min(63, low + length), low]);
const halves = (raw: bigint): [number, number] => [Number(raw & 0xffff_ffffn), Number(raw >> 32n)];

it("reads the same field as the codec, from unsigned and from signed halves", () => {
  fc.assert(
    fc.property(any64, bits, (raw, field) => {
      const [lo, hi] = halves(raw);
      const expected = Number((raw & bitMask(field)) >> BigInt(field[1]));
      expect(reader(field)(lo, hi)).toBe(expected);
      expect(reader(field)(lo | 0, hi | 0)).toBe(expected);
    }),
    { numRuns: 1000 },
  );
});
it("reads a 40-bit frame number across the halves", () => {
  expect(reader([51, 12])(0x2345_6789, 0xfff1_abcd)).toBe(0x1abcd_23456);
});
it("refuses a field of more than 53 bits", () => {
  expect(() => reader([63, 10])).toThrow("63:10 fits a number");
  expect(reader([62, 10])(0xffff_ffff, 0xffff_ffff)).toBe(2 ** 53 - 1);
});
it("tests for any bit of several fields", () => {
  fc.assert(
    fc.property(any64, bits, bits, (raw, a, b) => {
      const [lo, hi] = halves(raw);
      expect(anyBitSet(a, b)(lo, hi)).toBe((raw & (bitMask(a) | bitMask(b))) !== 0n);
    }),
  );
});
it("splits a number below 2^53 and puts it together again", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      expect(fromHalves(loHalf(value), hiHalf(value))).toBe(value);
    }),
  );
});
