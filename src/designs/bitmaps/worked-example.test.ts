import { expect, it } from "vitest";
import { getBit } from "../../flat/bitmap.ts";
import { USE } from "../../linux/mem-map.ts";
import { MMOP } from "../../linux/memory-block.ts";
import { hotplugKernel } from "../../linux/memory-hotplug/testing/hotplug-kernel.ts";
import { run } from "../../linux/testing/fake-kernel.ts";
import { VM } from "../../linux/virtio-mem/driver.ts";
import { virtioMemProbe } from "../../linux/virtio-mem/probe.ts";
import { SBM_STATES } from "../../linux/virtio-mem/states.ts";
import { FakeVirtioMem } from "../../linux/virtio-mem/testing/fake-device.ts";
import {
  virtioMemConfigChanged,
  virtioMemRunWork,
  virtioMemTimerExpired,
} from "../../linux/virtio-mem/work.ts";
import { bitmaps } from "./bitmaps.ts";

const MIB = 2 ** 20;
const RAM = 0x1_0000_0000;
const WINDOW = 0x1_8000_0000;
const END = 0x3_8000_0000;

/** RFC v2 on static RAM of 2 GiB with a window of 8 GiB above, all of it the region of one device. */
const start = () => {
  const device = new FakeVirtioMem(WINDOW, END - WINDOW);
  const fake = hotplugKernel({
    top: END,
    ram: [{ start: RAM, end: WINDOW, node: 0 }],
    unaccepted: { window: { start: RAM, end: END }, ranges: [{ start: RAM, end: END }] },
    tableVersion: 2,
    design: bitmaps,
    devices: [device],
  });
  const { k } = fake;
  const table = k.table!;
  // The stub marks the window unplugged; only static memory has its plugged bits set.
  table.plugged!.fill(0, 128);
  k.blocks.autoOnline = MMOP.ONLINE;
  expect(virtioMemProbe(k, 0)).toBe(0);
  const vm = k.virtioMem[0]!;
  const resize = (bytes: number): number => {
    device.requested = bytes;
    virtioMemConfigChanged(k, 0);
    return run(k, virtioMemRunWork, 0);
  };
  const unaccepted = (unit: number) => getBit(table.unaccepted, unit);
  const plugged = (unit: number) => getBit(table.plugged!, unit);
  const use = (unit: number) => k.mm.useAt((RAM + unit * 2 * MIB) / 4096);
  return { ...fake, device, vm, resize, unaccepted, plugged, use };
};

it("walks the worked example of RFC v2: requests, chunk orders and accepted units", () => {
  const { k, device, vm, resize, unaccepted, plugged, use } = start();
  expect(resize(6 * MIB)).toBe(0);
  expect(device.log).toEqual(["PLUG 0+3 ACK"]);
  expect(SBM_STATES[vm.stateOf(0x30)]).toBe("KERNEL_PARTIAL");
  // The core marks the whole block plugged, which the VMM never did.
  expect([1024, 1026, 1027, 1087].map(plugged)).toEqual([true, true, true, true]);
  expect(plugged(1088)).toBe(false);
  // Chunk 0 waits; chunk 1 is mixed, so unit 1026 is accepted at once and its guard with it.
  expect([1024, 1025].map(use)).toEqual([USE.UNACCEPTED, USE.UNACCEPTED]);
  expect([1024, 1025, 1026, 1027, 1028].map(unaccepted)).toEqual([true, true, false, false, true]);
  expect([use(1026), use(1027)]).toEqual([USE.FREE, USE.OFFLINE]);

  expect(resize(8 * MIB)).toBe(0);
  expect(device.log.slice(1)).toEqual(["PLUG 3+1 ACK"]);
  expect(use(1027)).toBe(USE.FREE);
  // Order 9 again, and its guard again.
  expect([unaccepted(1028), unaccepted(1029)]).toEqual([false, true]);

  device.log.length = 0;
  expect(resize(0)).toBe(-16);
  // Sub-block 1 is the odd pageblock of the listed chunk and busy; isolating sub-block 0 accepts the chunk.
  expect(device.log).toEqual(["UNPLUG 3+1 ACK", "UNPLUG 2+1 ACK", "UNPLUG 0+1 ACK"]);
  expect(vm.words[VM.TIMER_MS]).toBe(50_000);

  virtioMemTimerExpired(k, 0);
  expect(run(k, virtioMemRunWork, 0)).toBe(0);
  expect(device.log.slice(3)).toEqual(["UNPLUG 1+1 ACK"]);
  expect(SBM_STATES[vm.stateOf(0x30)]).toBe("UNUSED");
  expect(k.blocks.stateOf(0x30)).toBe(0);
  expect(k.iomem.iomemText()).not.toContain("virtio_mem");
});
