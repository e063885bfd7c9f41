import fc from "fast-check";
import { expect, it } from "vitest";
import { AssertionError } from "../assert.ts";
import { DecodeError, hex, struct } from "./bytes.ts";

const EVERY_KIND = struct("every kind", 32, {
  signature: [0, "ascii:4"],
  byte: [4, "u8"],
  half: [5, "u16"],
  three: [7, "u24"],
  word: [10, "u32"],
  long: [14, "u64"],
  rest: [22, "bytes:10"],
});

it("reads every kind of field little-endian", () => {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => (i < 4 ? 0x41 + i : i));
  expect(EVERY_KIND.decode(bytes)).toEqual({
    signature: "ABCD",
    byte: 4,
    half: 0x0605,
    three: 0x090807,
    word: 0x0d0c0b0a,
    long: 0x1514_1312_1110_0f0en,
    rest: Uint8Array.of(22, 23, 24, 25, 26, 27, 28, 29, 30, 31),
  });
});

it("decode and encode together change no byte", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      expect(EVERY_KIND.encode(EVERY_KIND.decode(bytes))).toEqual(bytes);
    }),
  );
});

it("names structure, offset, expectation and finding when bytes are missing", () => {
  const error = (() => {
    try {
      EVERY_KIND.decode(new Uint8Array(40), 9);
    } catch (caught) {
      return caught;
    }
    return undefined;
  })();
  expect(error).toBeInstanceOf(DecodeError);
  expect(error).toMatchObject({ what: "every kind", offset: 9, expected: "32 bytes", found: "31" });
  expect((error as DecodeError).message).toBe("every kind, byte 9: expected 32 bytes, found 31");
  expect(() => EVERY_KIND.get(new Uint8Array(8), "word", 12)).toThrow(DecodeError);
  expect(() => EVERY_KIND.put(new Uint8Array(31), "byte", 1)).toThrow(DecodeError);
});

it("puts one field and leaves the other bytes alone", () => {
  const bytes = new Uint8Array(34).fill(0xee);
  EVERY_KIND.put(bytes, "long", 0x0102_0304_0506_0708n, 1);
  expect([...bytes.subarray(15, 23)]).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
  expect(bytes.filter((byte) => byte !== 0xee)).toHaveLength(8);
  expect(EVERY_KIND.get(bytes, "long", 1)).toBe(0x0102_0304_0506_0708n);
});

it("refuses a table that overlaps, leaves a byte without a name or misses its size", () => {
  expect(() => struct("s", 4, { a: [0, "u16"], b: [1, "u16"] })).toThrow(AssertionError);
  expect(() => struct("s", 4, { a: [0, "u8"], b: [2, "u16"] })).toThrow(AssertionError);
  expect(() => struct("s", 8, { a: [0, "u32"] })).toThrow(AssertionError);
  expect(struct("s", 8, { a: [2, "u32"] }, "holes").size).toBe(8);
});

it("refuses to encode a value that does not fit its field", () => {
  const s = struct("s", 2, { a: [0, "u8"], b: [1, "u8"] });
  expect(() => s.encode({ a: 256, b: 0 })).toThrow("a = 256 fits u8");
  expect(() => s.encode({ a: -1, b: 0 })).toThrow(AssertionError);
  expect(() => s.encode({ a: 0.5, b: 0 })).toThrow(AssertionError);
});

it("prints hexadecimal with a least number of digits", () => {
  expect([hex(0x1000), hex(0n, 16), hex(2 ** 40, 8)]).toEqual([
    "0x1000",
    "0x0000000000000000",
    "0x10000000000",
  ]);
});
