import fc from "fast-check";
import { expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { decompressLzmaAlone } from "./lzma-alone.ts";

/** 16 bytes "Tidemark" twice. */
const PLAIN = "TidemarkTidemark";
/** PLAIN as xz 5.4.1 wrote it, with lc, lp, pb of 3, 0, 2; of 0, 2, 0; of 4, 0, 4. */
const WRITTEN = {
  usual: "XQAAAAT//////////wAqGkiGb7BQsGSlktvx///4XOAA",
  other: "EgAAAAT//////////wAqGxu2km9UEuryECgP///7mwAA",
  most: "uAAAAAT//////////wAqGkiGb43Q7FFOJT4H///7A4AA",
} as const;

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** The data with another size in its header. */
const withSize = (bytes: Uint8Array, size: bigint): Uint8Array => {
  const changed = bytes.slice();
  new DataView(changed.buffer).setBigUint64(5, size, true);
  return changed;
};
const USUAL = bytesOf(WRITTEN.usual);

it.each(Object.entries(WRITTEN))("data written with %s properties is read", (_, base64) => {
  expect(text(decompressLzmaAlone(bytesOf(base64), 100))).toBe(PLAIN);
});

it("where the header has the size, the data ends there", () => {
  expect(text(decompressLzmaAlone(withSize(USUAL, 16n), 16))).toBe(PLAIN);
  expect(text(decompressLzmaAlone(withSize(USUAL, 5n), 16))).toBe("Tidem");
});

it.each([
  ["a size above the limit", withSize(USUAL, 17n), "expected a size of at most 16, found 17"],
  ["a header cut short", USUAL.subarray(0, 12), "expected a header of 13 bytes, found 12"],
  ["an end before the marker", USUAL.subarray(0, USUAL.length - 6), "expected more data"],
  [
    "a properties byte of 225",
    Uint8Array.from(USUAL, (byte, at) => (at === 0 ? 225 : byte)),
    "expected a properties byte below 225, found 225",
  ],
  [
    "a first byte that is not 0",
    Uint8Array.from(USUAL, (byte, at) => (at === 13 ? 1 : byte)),
    "expected a first byte of 0, found 1",
  ],
])("%s is refused", (_, bytes, message) => {
  expect(() => decompressLzmaAlone(bytes, 16)).toThrow(DecodeError);
  expect(() => decompressLzmaAlone(bytes, 16)).toThrow(message);
});

it("no more comes out than the limit", () => {
  expect(() => decompressLzmaAlone(USUAL, 15)).toThrow("expected at most 15 bytes of output, found more");
});

it("any bytes behind a header give what fits or DecodeError", () => {
  fc.assert(
    fc.property(fc.nat({ max: 255 }), fc.uint8Array({ maxLength: 80 }), (properties, data) => {
      const bytes = Uint8Array.from([properties, 0, 0, 1, 0, ...new Array<number>(8).fill(255), 0, ...data]);
      try {
        expect(decompressLzmaAlone(bytes, 500).length).toBeLessThanOrEqual(500);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }),
  );
});
