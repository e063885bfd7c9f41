import { expect, it } from "vitest";
import { GIB, MIB } from "../../units.ts";
import { fakeKernel } from "../testing/fake-kernel.ts";
import { movePfnRangeToZone, removePfnRangeFromZone } from "./zone-span.ts";
import { NO_ZONE, ZONE, zoneOf } from "./zones.ts";

const SECTION = (128 * MIB) / 4096;

/** Sections 32, 33 and 36 in ZONE_NORMAL. */
const kernel = () => {
  const { k } = fakeKernel({ top: 8 * GIB });
  for (const section of [36, 32, 33]) {
    k.mm.addSection(section);
    movePfnRangeToZone(k, section * SECTION, SECTION, ZONE.NORMAL);
  }
  const remove = (section: number) => {
    removePfnRangeFromZone(k, section * SECTION, SECTION);
    return [k.zones.spannedStart[ZONE.NORMAL]! / SECTION, k.zones.spannedEnd[ZONE.NORMAL]! / SECTION];
  };
  return { k, remove };
};

it("a zone spans from its first page to its last, holes included", () => {
  const { k } = kernel();
  expect(k.zones.spannedStart[ZONE.NORMAL]).toBe(32 * SECTION);
  expect(k.zones.spannedEnd[ZONE.NORMAL]).toBe(37 * SECTION);
  expect(zoneOf(k, 34 * SECTION)).toBe(NO_ZONE);
});

it("the span shrinks from either end to what is left, past holes, and to nothing", () => {
  const { k, remove } = kernel();
  expect(remove(33)).toEqual([32, 37]);
  expect(remove(32)).toEqual([36, 37]);
  expect(zoneOf(k, 32 * SECTION)).toBe(NO_ZONE);
  expect(remove(36)).toEqual([0, 0]);
  const other = kernel();
  expect(other.remove(36)).toEqual([32, 34]);
});
