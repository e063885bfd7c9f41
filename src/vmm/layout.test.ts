import fc from "fast-check";
import { expect, it } from "vitest";
import { GIB, MIB } from "../units.ts";
import { explicitLayout, type GuestLayout, layoutEnd, q35Layout } from "./layout.ts";
import { VmmError } from "./vmm-error.ts";

const window = (layout: GuestLayout) => layout.deviceMemory;

it.each([
  ["1G, slots 4, maxmem 8G", 1, 4, 8, 0x1_0000_0000, 0x2_c000_0000],
  ["4G, slots 4, maxmem 16G", 4, 4, 16, 0x1_8000_0000, 0x4_0000_0000],
  ["4G, slots 2, maxmem 16G", 4, 2, 16, 0x1_8000_0000, 0x3_8000_0000],
  ["4G, no slots, maxmem 16G", 4, 0, 16, 0x1_8000_0000, 0x3_0000_0000],
])("places the device memory of -m %s where QEMU does", (_name, memory, slots, maxmem, start, size) => {
  const layout = q35Layout({ memory: memory * GIB, slots, maxmem: maxmem * GIB });
  expect(window(layout)).toEqual({ start, size });
  expect(layout.reservedMemoryEnd).toBe(start + size);
});

it.each([
  [0xaff0_0000, [{ start: 0, size: 0xaff0_0000 }]],
  [
    0xb000_0000,
    [
      { start: 0, size: 0x8000_0000 },
      { start: 0x1_0000_0000, size: 0x3000_0000 },
    ],
  ],
])("splits %i bytes of RAM at the PCI hole from 2.75 GiB on", (memory, ram) => {
  expect(q35Layout({ memory }).ram).toEqual(ram);
});

it("has no device memory without maxmem", () => {
  const layout = q35Layout({ memory: GIB, slots: 2 });
  expect([layout.deviceMemory, layout.reservedMemoryEnd]).toEqual([undefined, undefined]);
});

it("rounds the reserved end up to 1 GiB", () => {
  const layout = q35Layout({ memory: 128 * MIB, slots: 1, maxmem: 2 * GIB });
  expect(window(layout)).toEqual({ start: 4 * GIB, size: 0xb800_0000 });
  expect(layout.reservedMemoryEnd).toBe(7 * GIB);
});

it("lowers the split with max-ram-below-4g", () => {
  const layout = q35Layout({ memory: 2 * GIB, maxRamBelow4g: GIB });
  expect(layout.ram).toEqual([
    { start: 0, size: GIB },
    { start: 4 * GIB, size: GIB },
  ]);
});

it.each([
  ["slots", { memory: GIB, slots: 257, maxmem: 2 * GIB }],
  ["maxmem", { memory: 2 * GIB, maxmem: GIB }],
  ["memory", { memory: 1000 }],
  ["memory", { memory: 0 }],
  ["memory layout", { memory: GIB, maxmem: 2 ** 48, addressLimit: 2 ** 47 }],
  ["max-ram-below-4g", { memory: GIB, maxRamBelow4g: 5 * GIB }],
])("refuses a wrong %s", (what, options) => {
  expect(() => q35Layout(options)).toThrow(expect.objectContaining({ name: "VmmError", what }));
});

it("takes explicit ranges in any order and joins those that touch", () => {
  const layout = explicitLayout({
    ram: [
      { start: 6 * GIB, size: GIB },
      { start: 4 * GIB, size: GIB },
      { start: 5 * GIB, size: GIB },
    ],
    deviceMemory: { start: 8 * GIB, size: 2 * GIB },
  });
  expect(layout).toMatchObject({
    ram: [{ start: 4 * GIB, size: 3 * GIB }],
    deviceMemory: { start: 8 * GIB, size: 2 * GIB },
    memory: 3 * GIB,
    maxmem: 5 * GIB,
  });
  expect(layoutEnd(layout)).toBe(10 * GIB);
});

it("refuses explicit ranges that overlap or are empty", () => {
  const ram = [{ start: 0, size: 2 * GIB }];
  expect(() => explicitLayout({ ram, deviceMemory: { start: GIB, size: 2 * GIB } })).toThrow("no overlap");
  expect(() => explicitLayout({ ram: [{ start: 0, size: 0 }] })).toThrow("not empty");
});

it("keeps RAM disjoint, complete and below the window, whatever the options", () => {
  const size = fc.integer({ min: 1, max: 1 << 20 }).map((n) => n * MIB);
  fc.assert(
    fc.property(size, size, fc.integer({ min: 0, max: 256 }), (memory, extra, slots) => {
      const layout = q35Layout({ memory, slots, maxmem: memory + extra });
      const ranges = [...layout.ram, layout.deviceMemory!];
      for (const [i, range] of ranges.slice(1).entries()) {
        expect(range.start).toBeGreaterThanOrEqual(ranges[i]!.start + ranges[i]!.size);
      }
      expect(layout.ram.reduce((sum, range) => sum + range.size, 0)).toBe(memory);
      expect(layout.deviceMemory!.size).toBe(extra + slots * GIB);
      expect(layout.deviceMemory!.start % GIB).toBe(0);
    }),
  );
});

it("throws nothing but VmmError at any numbers", () => {
  fc.assert(
    fc.property(fc.double(), fc.double(), fc.double(), (memory, slots, maxmem) => {
      try {
        q35Layout({ memory, slots, maxmem });
      } catch (error) {
        expect(error).toBeInstanceOf(VmmError);
      }
    }),
  );
});
