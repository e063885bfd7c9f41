import { expect, it } from "vitest";
import type { Kernel } from "../kernel.ts";
import { USE } from "../mem-map.ts";
import { BLOCK, MMOP } from "../memory-block.ts";
import { type HotplugKernelOptions, hotplugKernel } from "../memory-hotplug/testing/hotplug-kernel.ts";
import { run } from "../testing/fake-kernel.ts";
import { ACPI_NOTIFY, AcpiMemory } from "./acpi-memory.ts";
import { acpiGpeScan, acpiHotplugWork, acpiScanAtBoot, ostCode } from "./hotplug-event.ts";
import { FakeSlots } from "./testing/fake-slots.ts";

const GIB = 2 ** 30;
const DIMM = 0x1_4000_0000;
const BLOCK_SIZE = 2 ** 27;
const FIRST = DIMM / BLOCK_SIZE;

const start = (options: Partial<HotplugKernelOptions> = {}, count = 4) => {
  const slots = new FakeSlots(count);
  const fake = hotplugKernel({ top: 16 * GIB, acpi: slots, nodes: 2, ...options });
  fake.k.blocks.autoOnline = MMOP.ONLINE;
  return { ...fake, slots };
};

const sci = (k: Kernel): void => {
  run(k, acpiGpeScan);
  while (k.acpiMemory!.waiting > 0) run(k, acpiHotplugWork);
};
const states = (k: Kernel, count: number) =>
  Array.from({ length: count }, (_, n) => k.blocks.stateOf(FIRST + n));

it("adds and onlines a DIMM on a device check and says so with _OST(1, 0)", () => {
  const { k, slots, log } = start();
  slots.plug(3, DIMM, 4 * BLOCK_SIZE, 1);
  sci(k);
  expect(slots.log).toEqual(["slot 3 OST 1 0x0"]);
  expect(states(k, 5)).toEqual([BLOCK.ONLINE, BLOCK.ONLINE, BLOCK.ONLINE, BLOCK.ONLINE, BLOCK.ABSENT]);
  expect(k.iomem.iomemText()).toBe("100000000-13fffffff : System RAM\n140000000-15fffffff : System RAM\n");
  expect(k.firmwareMap.entries()).toEqual([{ start: DIMM, end: DIMM + 4 * BLOCK_SIZE, type: "System RAM" }]);
  // As recorded from a two-node guest whose second node got its first Normal memory.
  expect(log.slice(0, 2)).toEqual(["Fallback order for Node 0: 0 1 ", "Fallback order for Node 1: 1 0 "]);
  expect(log[2]).toMatch(/^Built 2 zonelists, mobility grouping on. {2}Total pages: \d+$/);
  expect(log.slice(3)).toEqual(["Policy zone: Normal"]);
});

it("ejects a DIMM nobody uses: in progress, offline, remove, _EJ0, success", () => {
  const { k, slots } = start();
  const free = k.zones.sum(k.zones.free);
  slots.plug(0, DIMM, 2 * BLOCK_SIZE);
  sci(k);
  slots.log.length = 0;
  slots.requestEject(0);
  sci(k);
  expect(slots.log).toEqual(["slot 0 OST 3 0x84", "slot 0 EJECT", "slot 0 OST 3 0x0"]);
  expect(states(k, 2)).toEqual([BLOCK.ABSENT, BLOCK.ABSENT]);
  expect(k.iomem.iomemText()).toBe("100000000-13fffffff : System RAM\n");
  expect(k.firmwareMap.entries()).toEqual([]);
  expect(k.zones.sum(k.zones.free)).toBe(free);
  expect(k.mm.isMapped(DIMM / 4096)).toBe(false);
});

it("keeps a DIMM with an unmovable page, onlines its other blocks again and reports it busy", () => {
  const { k, slots, log } = start();
  slots.plug(3, DIMM, 4 * BLOCK_SIZE, 1);
  sci(k);
  // A page that cannot move, where the recording had one.
  const index = k.mm.indexOf(0x140404);
  k.mm.use[index - (index % 1024)] = USE.ALLOCATED;
  slots.log.length = 0;
  log.length = 0;
  slots.requestEject(3);
  sci(k);
  expect(slots.log).toEqual(["slot 3 OST 3 0x84", "slot 3 OST 3 0x82"]);
  expect(states(k, 4)).toEqual([BLOCK.ONLINE, BLOCK.ONLINE, BLOCK.ONLINE, BLOCK.ONLINE]);
  expect(log).toEqual(["memory memory40: Offline failed."]);
  expect(k.iomem.iomemText()).toContain("140000000-15fffffff : System RAM\n");
});

it("names the first block that stays in the second pass, and looks at none after it", () => {
  const { k, slots, log } = start();
  slots.plug(3, DIMM, 4 * BLOCK_SIZE, 1);
  sci(k);
  for (const pfn of [0x148000, 0x158000]) k.mm.use[k.mm.indexOf(pfn)] = USE.ALLOCATED;
  log.length = 0;
  slots.requestEject(3);
  sci(k);
  expect(log).toEqual(["memory memory41: Offline failed."]);
  expect(states(k, 4)).toEqual([BLOCK.ONLINE, BLOCK.ONLINE, BLOCK.ONLINE, BLOCK.ONLINE]);
});

it("reports success for a DIMM that could not be added, as kernels from 6.8 on do", () => {
  const { k, slots, log } = start();
  slots.plug(1, DIMM + 4096, BLOCK_SIZE);
  sci(k);
  expect(slots.log).toEqual(["slot 1 OST 1 0x0"]);
  expect(log.slice(-2)).toEqual([
    "acpi PNP0C80:01: add_memory failed",
    "acpi PNP0C80:01: acpi_memory_enable_device() error",
  ]);
  expect(k.acpiMemory!.bound[1]).toBe(0);
  slots.requestEject(1);
  sci(k);
  expect(slots.log.slice(1)).toEqual(["slot 1 OST 3 0x84", "slot 1 EJECT", "slot 1 OST 3 0x0"]);
});

it("takes memory that the kernel has already for added", () => {
  const { k, slots } = start();
  slots.plug(0, 4 * GIB, GIB);
  sci(k);
  expect([k.acpiMemory!.bound[0], slots.log]).toEqual([1, ["slot 0 OST 1 0x0"]]);
});

it("binds a DIMM that was there at boot, without _OST, and leaves it alone at a later check", () => {
  const { k, slots } = start();
  slots.plug(2, DIMM, BLOCK_SIZE);
  run(k, acpiScanAtBoot);
  expect([slots.log, k.blocks.stateOf(FIRST)]).toEqual([[], BLOCK.ONLINE]);
  sci(k);
  expect(slots.log).toEqual(["slot 2 OST 1 0x0"]);
});

it("says when the VMM did not take the DIMM away", () => {
  const { k, slots, log } = start();
  slots.plug(0, DIMM, BLOCK_SIZE);
  sci(k);
  slots.stuck = true;
  slots.requestEject(0);
  sci(k);
  expect(log.at(-1)).toBe("ACPI: \\_SB_.MHPC.MP00: Eject incomplete - status 0xf");
  expect(slots.log.at(-1)).toBe("slot 0 OST 3 0x0");
});

it("has _STA run for the slots in the order of a 6.12.117 and a 7.3.4", () => {
  const { k, slots } = start({}, 3);
  const since = (): number[] => slots.statuses.splice(0);
  slots.plug(0, DIMM, BLOCK_SIZE);
  run(k, acpiScanAtBoot);
  expect(since()).toEqual([0, 1, 2, 0, 0, 1, 2, 1, 2, 1, 2]);
  run(k, acpiGpeScan);
  k.acpiMemory!.take();
  slots.plug(1, DIMM + BLOCK_SIZE, BLOCK_SIZE);
  sci(k);
  expect(since()).toEqual([1, 0, 1, 1, 2]);
  slots.requestEject(1);
  sci(k);
  expect(since()).toEqual([1]);
});

it("does not add the memory of a DIMM again that was emptied and not taken away, until it is ejected", () => {
  const { k, slots } = start();
  slots.plug(0, DIMM, BLOCK_SIZE);
  sci(k);
  slots.stuck = true;
  slots.requestEject(0);
  sci(k);
  slots.stuck = false;
  slots.plug(1, DIMM + BLOCK_SIZE, BLOCK_SIZE);
  sci(k);
  expect(states(k, 2)).toEqual([BLOCK.ABSENT, BLOCK.ONLINE]);
  slots.requestEject(0);
  sci(k);
  slots.plug(0, DIMM, BLOCK_SIZE);
  sci(k);
  expect(states(k, 2)).toEqual([BLOCK.ONLINE, BLOCK.ONLINE]);
});

it("leaves a DIMM alone that was absent when its driver looked, until it is asked to go", () => {
  const { k, slots } = start();
  // At a plug _STA runs for the event, for the scan of the bus, and for the driver.
  slots.lies = [2];
  slots.plug(0, DIMM, BLOCK_SIZE);
  sci(k);
  slots.plug(1, DIMM + BLOCK_SIZE, BLOCK_SIZE);
  sci(k);
  expect(states(k, 2)).toEqual([BLOCK.ABSENT, BLOCK.ONLINE]);
  slots.stuck = true;
  slots.requestEject(0);
  sci(k);
  slots.plug(2, DIMM + 2 * BLOCK_SIZE, BLOCK_SIZE);
  sci(k);
  expect(states(k, 3)).toEqual([BLOCK.ONLINE, BLOCK.ONLINE, BLOCK.ONLINE]);
});

it("answers an eject that the guest itself began with its own source event", () => {
  const { k, slots } = start();
  slots.plug(0, DIMM, BLOCK_SIZE);
  sci(k);
  slots.log.length = 0;
  k.acpiMemory!.push(0, ACPI_NOTIFY.OSPM_EJECT);
  sci(k);
  expect(slots.log).toEqual(["slot 0 OST 3 0x84", "slot 0 EJECT", "slot 0 OST 259 0x0"]);
});

it("maps errors to _OST codes", () => {
  expect([0, -1, -16, -22, -19, -12].map(ostCode)).toEqual([0, 0x80, 0x82, 1, 1, 1]);
});

it("handles events in the order in which they came, insert before remove within a slot", () => {
  const acpi = new AcpiMemory(2);
  for (let n = 0; n < acpi.queue.length; n++) acpi.push(n % 2, n % 4);
  expect(acpi.full).toBe(true);
  const taken = Array.from({ length: acpi.queue.length }, () => acpi.take());
  expect(taken.slice(0, 4)).toEqual([0, 1025, 2, 1027]);
  expect(acpi.take()).toBe(-1);
  const { k, slots } = start();
  slots.plug(0, DIMM, BLOCK_SIZE);
  slots.requestEject(0);
  sci(k);
  sci(k);
  expect(slots.log).toEqual(["slot 0 OST 1 0x0", "slot 0 OST 3 0x84", "slot 0 EJECT", "slot 0 OST 3 0x0"]);
});
