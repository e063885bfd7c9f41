import fc from "fast-check";
import { expect, it } from "vitest";
import { checksumLine } from "./checksum-line.ts";
import { acpiTable, byteSum } from "./table-header.ts";

/** A table whose right checksum is `right`, with `found` in its place. */
const withChecksum = (right: number, found: number): Uint8Array => {
  const body = new Uint8Array(1);
  const zero = acpiTable("SRAT", 1, body)[9]!;
  body[0] = zero - right;
  const table = acpiTable("SRAT", 1, body);
  expect(table[9]).toBe(right);
  table[9] = found;
  return table;
};

it("a right checksum has no line", () => {
  expect(checksumLine(acpiTable("SRAT", 1, Uint8Array.of(1, 2, 3)), "20240827")).toBeUndefined();
});

it.each([
  // 0x8b - 0x09 is the distance that a guest printed as "should be 0x82".
  [0x09, 0x8b, "0x8B, should be 0x82"],
  // 0x59 - 0x76 = -0x1d, printed as "should be 0xFFFFFFE3" by another.
  [0x76, 0x59, "0x59, should be 0xFFFFFFE3"],
  [0xff, 0x00, "0x00, should be 0xFFFFFF01"],
])("right 0x%x, found 0x%x is told as the kernel tells it", (right, found, told) => {
  expect(checksumLine(withChecksum(right, found), "20260408")).toBe(
    `ACPI BIOS Warning (bug): Incorrect checksum in table [SRAT] - ${told} (20260408/utcksum-58)`,
  );
});

it("whatever the bytes, there is a line exactly where a whole table does not sum to 0", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(90), (bytes, length) => {
      if (bytes.length > 4) bytes.set([length, 0, 0, 0].slice(0, bytes.length - 4), 4);
      const isWhole = bytes.length >= 36 && 36 <= length && length <= bytes.length;
      const isOff = isWhole && byteSum(bytes.subarray(0, length)) !== 0;
      expect(checksumLine(bytes, "20240827") !== undefined).toBe(isOff);
    }),
  );
});
