import fc from "fast-check";
import { expect, it } from "vitest";
import { bitMask, word } from "./word.ts";

const any64 = fc.bigInt(0n, 2n ** 64n - 1n);
const W = word({ low: [2, 0], middle: [51, 12], top: [63, 60] });

it("puts each field where the table says", () => {
  expect(W.encode({ low: 5n, middle: 0x12345n, top: 0xan })).toBe(0xa000_0000_1234_5005n);
});
it("names the bits that no field covers", () => {
  expect(W.reserved).toBe(0x0ff0_0000_0000_0ff8n);
});
it("decodes every 64-bit value, and encodes it again but for the reserved bits", () => {
  fc.assert(
    fc.property(any64, (raw) => {
      expect(W.encode(W.decode(raw))).toBe(raw & ~W.reserved);
    }),
  );
});
it("refuses a value that does not fit its field, and names it", () => {
  expect(() => W.encode({ low: 8n, middle: 0n, top: 0n })).toThrow("low = 8 fits its field");
  expect(() => W.encode({ low: -1n, middle: 0n, top: 0n })).toThrow("low = -1 fits its field");
});
it("refuses a table whose fields overlap or leave the word", () => {
  expect(() => word({ a: [7, 4], b: [4, 0] })).toThrow("b overlaps no field");
  expect(() => word({ a: [64, 60] })).toThrow("a lies in a 64-bit word");
  expect(() => word({ a: [3, 4] })).toThrow("a lies in a 64-bit word");
});
it("makes the mask of one field", () => {
  expect(bitMask([63, 0])).toBe(0xffff_ffff_ffff_ffffn);
  expect(bitMask([51, 12])).toBe(0x000f_ffff_ffff_f000n);
});
