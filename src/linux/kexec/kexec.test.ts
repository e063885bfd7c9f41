import { expect, it } from "vitest";
import { GIB, MIB } from "../../units.ts";
import { hotplugKernel } from "../memory-hotplug/testing/hotplug-kernel.ts";
import { RESOURCE } from "../resource.ts";
import { VARIANTS } from "../variant.ts";
import { KEXEC } from "./kexec.ts";
import { placeSegments, segmentsOf } from "./segments.ts";
import { systemRam } from "./system-ram.ts";

const BUSY_RAM = RESOURCE.SYSTEM_RAM | RESOURCE.BUSY;

/** A kernel with 2 GiB below 2 GiB, a device's region at 4 GiB that has 256 MiB of its memory, and a DIMM above it. */
const kernel = () => {
  const { k } = hotplugKernel({ top: 8 * GIB, ram: [{ start: 0, end: 2 * GIB, node: 0 }] });
  const { iomem } = k;
  if (systemRam(iomem).length === 0) iomem.request(0, 2 * GIB, iomem.intern("System RAM"), BUSY_RAM);
  iomem.request(6 * GIB, GIB, iomem.intern("virtio0"), RESOURCE.SYSTEM_RAM | RESOURCE.EXCLUSIVE);
  const managed = BUSY_RAM | RESOURCE.DRIVER_MANAGED;
  iomem.request(6 * GIB, 256 * MIB, iomem.intern("System RAM (virtio_mem)"), managed);
  return k;
};

it("lists RAM wherever in the tree it lies, and who manages it", () => {
  expect(systemRam(kernel().iomem).map(({ start, driverManaged }) => [start, driverManaged])).toEqual([
    [0, false],
    [6 * GIB, true],
  ]);
});

// Worked out by hand, and as a 6.12 guest of 3 GiB placed them from its end 0x140000000 downward.
it("places segments from the top of memory down, each aligned, and never in a driver's memory", () => {
  const k = kernel();
  expect(placeSegments(k, segmentsOf(VARIANTS["6.12"], false), false)).toBe(true);
  const end = 2 * GIB;
  const places = Array.from({ length: k.kexec.count }, (_, row) => [
    end - k.kexec.starts[row]!,
    end - k.kexec.ends[row]!,
  ]);
  expect(places).toEqual([
    [0x5000, 0], // purgatory
    [0x7000, 0x5000], // boot parameters
    [0x380_0000, 0x2_4000], // kernel: 0x37dc000 bytes, aligned to 2 MiB
    [0x390_7000, 0x380_0000], // initrd
  ]);
});

it("places a crash kernel in the memory kept for it, its ELF headers first", () => {
  const k = kernel();
  k.kexec.words[KEXEC.CRASH_START] = 0x6f00_0000;
  k.kexec.words[KEXEC.CRASH_END] = 0x7f00_0000;
  expect(placeSegments(k, segmentsOf(VARIANTS["6.12"], true), true)).toBe(true);
  expect([k.kexec.starts[0], k.kexec.starts[1], k.kexec.ends[1]]).toEqual([
    0x6f00_0000, 0x7eff_b000, 0x7f00_0000,
  ]);
  expect(k.kexec.starts[3]).toBe(0x7b80_0000);
});

it("without memory for it nothing is loaded", () => {
  const k = kernel();
  expect(placeSegments(k, segmentsOf(VARIANTS["7.3"], true), true)).toBe(false);
  expect(k.kexec.count).toBe(0);
});
