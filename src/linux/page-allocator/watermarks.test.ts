import { expect, it } from "vitest";
import { GIB, MIB } from "../../units.ts";
import type { Kernel } from "../kernel.ts";
import { fakeKernel } from "../testing/fake-kernel.ts";
import { setupPerZoneWmarks, startKhugepaged, WMARK, zoneWatermarkOk } from "./watermarks.ts";
import { ZONE, zoneNumber } from "./zones.ts";

/** A kernel whose zones have these managed bytes, [node, zone type, bytes] each. */
const withZones = (zones: readonly (readonly [number, number, number])[], nodes = 1) => {
  const fake = fakeKernel({ top: GIB, nodes });
  for (const [node, type, bytes] of zones) {
    fake.k.zones.managed[zoneNumber(node, type)] = bytes / 4096;
    fake.k.zones.present[zoneNumber(node, type)] = bytes / 4096;
  }
  return fake;
};
const marks = (k: Kernel, type: number) => {
  const { min, low, high, promo } = k.zones;
  return [min, low, high, promo].map((mark) => mark[zoneNumber(0, type)]);
};

it.each([
  ["4 GiB", 4 * GIB, 8192, [2048, 3096, 4144, 5192]],
  ["64 GiB", 64 * GIB, 32768, [8192, 24969, 41746, 58523]],
  // sqrt(16 * 16384) is 512 kB; a step is a quarter of min where that exceeds a thousandth of the zone.
  ["16 MiB", 16 * MIB, 512, [128, 160, 192, 224]],
] as const)("one zone of %s has the worked watermarks", (_name, bytes, minFree, expected) => {
  const { k } = withZones([[0, ZONE.NORMAL, bytes]]);
  setupPerZoneWmarks(k);
  expect(k.zones.minFreeKbytes).toBe(minFree);
  expect(marks(k, ZONE.NORMAL)).toEqual(expected);
});

it("MOVABLE has a min of its own and its share only in the steps", () => {
  const { k } = withZones([
    [0, ZONE.NORMAL, 4 * GIB],
    [0, ZONE.MOVABLE, 4 * GIB],
  ]);
  setupPerZoneWmarks(k);
  expect(marks(k, ZONE.MOVABLE)).toEqual([128, 1176, 2224, 3272]);
  expect(marks(k, ZONE.NORMAL)).toEqual([2048, 3096, 4144, 5192]);
});

it("min_free_kbytes stays between 128 and 262144", () => {
  const small = withZones([[0, ZONE.NORMAL, MIB / 2]]).k;
  setupPerZoneWmarks(small);
  expect(small.zones.minFreeKbytes).toBe(128);
  const huge = withZones([[0, ZONE.NORMAL, 8192 * GIB]]).k;
  setupPerZoneWmarks(huge);
  expect(huge.zones.minFreeKbytes).toBe(262144);
});

it("a second computation looks at what is above the high watermark, so it comes out a little lower", () => {
  const { k } = withZones([[0, ZONE.NORMAL, 4 * GIB]]);
  setupPerZoneWmarks(k);
  setupPerZoneWmarks(k);
  // isqrt(16 * 4 * (1048576 - 4144))
  expect(k.zones.minFreeKbytes).toBe(8175);
});

it("a larger value of the user is kept and the kernel says so", () => {
  const { k, log } = withZones([[0, ZONE.NORMAL, 4 * GIB]]);
  k.zones.userMinFreeKbytes = 9000;
  k.zones.minFreeKbytes = 9000;
  setupPerZoneWmarks(k);
  expect(k.zones.minFreeKbytes).toBe(9000);
  expect(log).toEqual([
    "min_free_kbytes is not updated to 8192 because user defined value 9000 is preferred",
  ]);
});

it("khugepaged raises min_free_kbytes by 5632 pages for each populated zone up to NORMAL", () => {
  const { k } = withZones([
    [0, ZONE.DMA, 16 * MIB],
    [0, ZONE.DMA32, 2 * GIB],
    [0, ZONE.NORMAL, 60 * GIB],
    [0, ZONE.MOVABLE, 4 * GIB],
  ]);
  setupPerZoneWmarks(k);
  startKhugepaged(k);
  expect(k.zones.minFreeKbytes).toBe(67584);
});

it("khugepaged asks for no more than a twentieth of low memory", () => {
  const { k } = withZones([[0, ZONE.DMA32, 256 * MIB]]);
  setupPerZoneWmarks(k);
  const free = 65536 - k.zones.high[ZONE.DMA32]!;
  startKhugepaged(k);
  expect(k.zones.minFreeKbytes).toBe(Math.floor(free / 20) * 4);
});

it("reserves what a recorded guest of two nodes reserved, to a few pages of rounding", () => {
  // MemFree 1853044, MemAvailable 1752152 and SReclaimable 8804 kB of that guest make 26324 pages. How its
  // 475371 managed pages divide over the zones was not recorded; the split hardly matters.
  const { k } = withZones(
    [
      [0, ZONE.DMA, 3840 * 4096],
      [0, ZONE.DMA32, 251_200 * 4096],
      [1, ZONE.DMA32, 220_331 * 4096],
    ],
    2,
  );
  setupPerZoneWmarks(k);
  startKhugepaged(k);
  expect(Math.abs(k.zones.totalReserve - 26324)).toBeLessThanOrEqual(5);
});

it("an order-0 allocation that could use a higher zone leaves the lower one its reserve", () => {
  const { k } = withZones([
    [0, ZONE.DMA32, 2 * GIB],
    [0, ZONE.NORMAL, 64 * GIB],
  ]);
  setupPerZoneWmarks(k);
  const zone = zoneNumber(0, ZONE.DMA32);
  // 64 GiB / 256 is 65536 pages.
  const limit = k.zones.low[zone]! + 65536;
  k.zones.free[zone] = limit;
  expect(zoneWatermarkOk(k, zone, 0, WMARK.LOW, ZONE.NORMAL, 0)).toBe(false);
  k.zones.free[zone] = limit + 1;
  expect(zoneWatermarkOk(k, zone, 0, WMARK.LOW, ZONE.NORMAL, 0)).toBe(true);
  expect(zoneWatermarkOk(k, zone, 1, WMARK.LOW, ZONE.NORMAL, 0)).toBe(false);
});
