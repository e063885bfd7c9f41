import fc from "fast-check";
import { expect, it } from "vitest";
import {
  GPA_MAPPING,
  GPA_MAPPING_RESULT,
  gpaMapping,
  gpaMappingOf,
  gpaOf,
  isAligned,
  levelBytes,
} from "./gpa-mapping.ts";

it("packs GPA and level as Linux does", () => {
  expect(gpaMappingOf(0x1_0000_0000, 2)).toBe(0x1_0000_0002);
  expect(gpaMappingOf(0x1_0020_0000, 1)).toBe(0x1_0020_0001);
  expect(gpaMappingOf(0x1000, 0)).toBe(0x1000);
});
it("refuses an address off a frame or beyond 52 bits", () => {
  expect(() => gpaMappingOf(0x1001, 0)).toThrow("address of a 4 KiB frame");
  expect(() => gpaMappingOf(2 ** 52, 0)).toThrow("address of a 4 KiB frame");
});
it("reads halves as the codec reads the word", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (raw) => {
      const lo = Number(raw & 0xffff_ffffn);
      const hi = Number(raw >> 32n);
      const { level, pfn } = GPA_MAPPING.decode(raw);
      expect(gpaMapping.level(lo, hi)).toBe(Number(level));
      expect(gpaMapping.pfn(lo, hi)).toBe(Number(pfn));
      expect(gpaMapping.reserved(lo, hi)).toBe((raw & GPA_MAPPING.reserved) !== 0n);
      expect(gpaOf(lo, hi)).toBe(Number(pfn) * 4096);
      for (let l = 0; l <= 4; l++) {
        expect(isAligned(lo, hi, l)).toBe((Number(pfn) * 4096) % levelBytes(l) === 0);
      }
    }),
  );
});
it("has the page sizes of five levels", () => {
  expect([0, 1, 2, 3, 4].map(levelBytes)).toEqual([2 ** 12, 2 ** 21, 2 ** 30, 2 ** 39, 2 ** 48]);
});
it("puts the release result's flags at bits 61 and 62", () => {
  expect(GPA_MAPPING_RESULT.encode({ level: 1n, pfn: 0x200n, mmio: 1n, pending: 1n })).toBe(
    0x6000_0000_0020_0001n,
  );
});
