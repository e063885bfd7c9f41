import { expect, it } from "vitest";
import { R10, setHalves } from "../../abi/tdx/regs.ts";
import { clearRange, findNextSet, getBit } from "../../flat/bitmap.ts";
import { ERRNO } from "../../linux/errno.ts";
import { USE } from "../../linux/mem-map.ts";
import { MMOP } from "../../linux/memory-block.ts";
import { addMemory } from "../../linux/memory-hotplug/add-memory.ts";
import { offlineAndRemoveMemory } from "../../linux/memory-hotplug/offline-and-remove.ts";
import { hotplugKernel } from "../../linux/memory-hotplug/testing/hotplug-kernel.ts";
import type { FakeBoundary } from "../../linux/testing/fake-boundary.ts";
import { interleave, newTask, run } from "../../linux/testing/fake-kernel.ts";
import { acceptMemory } from "../../linux/unaccepted-memory.ts";
import { VM } from "../../linux/virtio-mem/driver.ts";
import { virtioMemProbe } from "../../linux/virtio-mem/probe.ts";
import { FakeVirtioMem } from "../../linux/virtio-mem/testing/fake-device.ts";
import { virtioMemConfigChanged, virtioMemRunWork } from "../../linux/virtio-mem/work.ts";
import { ejectGuard } from "./core.ts";
import { leave } from "./leave.ts";
import { tide } from "./tide.ts";

const MIB = 2 ** 20;
const UNIT = 2 * MIB;
const RAM = 0x1_0000_0000;
const WINDOW = 0x1_4000_0000;
const END = 0x1_8000_0000;
/** First unit of the window, from the start of RAM on. */
const FIRST = 512;
const PAGE_RELEASE = 0x40;
const UNPLUG = 1;
const BUSY = 2;
const VMCALL = 0;
const ATTR_RD = 23;
const RELEASE = 30;

interface Options {
  readonly accept?: "lazy" | "eager";
  readonly release?: boolean;
  readonly memmapOnMemory?: boolean;
  readonly regionSize?: number;
}

/** 1 GiB of accepted RAM and a window of 1 GiB above, the first half of it the region of one device. */
const start = ({
  accept = "lazy",
  release = true,
  memmapOnMemory = false,
  regionSize = 2 ** 29,
}: Options = {}) => {
  const device = new FakeVirtioMem(WINDOW, regionSize);
  const fake = hotplugKernel({
    top: 2 * END,
    ram: [{ start: RAM, end: WINDOW, node: 0 }],
    unaccepted: { window: { start: RAM, end: END }, ranges: [{ start: WINDOW, end: END }] },
    tableVersion: 2,
    design: tide,
    devices: [device],
    accept,
    options: { memmapOnMemory },
  });
  const { k, hw } = fake;
  const table = k.table!;
  table.plugged!.fill(0xff, 0, FIRST / 8).fill(0, FIRST / 8);
  k.cpus.configFlags = release ? PAGE_RELEASE : 0;
  k.cpus.gpaWidth = 48;
  k.blocks.autoOnline = MMOP.ONLINE_MOVABLE;
  virtioMemProbe(k, 0);
  const resize = (bytes: number): number => {
    device.requested = bytes;
    virtioMemConfigChanged(k, 0);
    return run(k, virtioMemRunWork, 0);
  };
  /** Unaccepted and plugged bit of a unit of the window. */
  const bits = (unit: number): string =>
    `${Number(getBit(table.unaccepted, FIRST + unit))}${Number(getBit(table.plugged!, FIRST + unit))}`;
  const isMapped = (unit: number): boolean => k.mm.isMapped((WINDOW + unit * UNIT) / 4096);
  const isAccepted = (unit: number): boolean =>
    hw.isAccepted(WINDOW + unit * UNIT, WINDOW + (unit + 1) * UNIT);
  return { ...fake, table, device, vm: k.virtioMem[0]!, resize, bits, isMapped, isAccepted };
};

it("marks the sub-blocks that were plugged, accepts the guard of RAM, and maps nothing else of the block", () => {
  const { hw, resize, bits, isMapped } = start();
  expect(resize(6 * MIB)).toBe(0);
  expect([0, 1, 2, 3, 63].map(bits)).toEqual(["01", "11", "01", "10", "10"]);
  expect([0, 1, 2, 3, 63].map(isMapped)).toEqual([true, true, true, false, false]);
  expect([hw.accepts, hw.doubles]).toEqual([2, []]);
});

it("gives back only what is accepted, out of the direct map, and unplugs the odd half of a listed chunk", () => {
  const { hw, device, resize, bits, isMapped } = start();
  resize(8 * MIB);
  expect([0, 1, 2, 3].map(bits)).toEqual(["01", "11", "11", "11"]);
  // Sub-block 3 is the odd half of a chunk that waits: the chunk is accepted for it, then 3 is released.
  expect(resize(6 * MIB)).toBe(0);
  expect([bits(2), bits(3), isMapped(2), isMapped(3)]).toEqual(["01", "10", true, false]);
  expect([hw.releases, device.log.at(-1)]).toEqual([1, "UNPLUG 3+1 ACK"]);
});

it("takes chunks that wait out of use as they are when a whole block goes", () => {
  const { hw, k, resize, bits } = start();
  const before = k.zones.sum(k.zones.unaccepted);
  const listed = (): number => k.zones.sum(k.zones.unaccepted) - before;
  resize(128 * MIB);
  expect([hw.accepts, listed()]).toEqual([1, 32768]);
  expect(resize(0)).toBe(0);
  expect([hw.accepts, hw.releases, bits(0), bits(63), listed()]).toEqual([1, 1, "10", "10", 0]);
});

it("a VMM that is busy leaves the memory plugged, mapped, guarded and in use again", () => {
  const { device, k, resize, isAccepted, isMapped, vm } = start();
  resize(256 * MIB);
  device.script = (type) => (type === UNPLUG ? BUSY : undefined);
  expect(resize(128 * MIB)).toBe(ERRNO.ETXTBSY);
  expect([vm.has(VM.BROKEN), isMapped(64), isAccepted(64)]).toEqual([false, true, true]);
  expect(k.mm.useAt((WINDOW + 64 * UNIT) / 4096)).toBe(USE.FREE);
  expect(k.accepting.isLeaving(FIRST + 64)).toBe(false);
  device.script = undefined;
  expect(run(k, virtioMemRunWork, 0)).toBe(0);
  expect([isMapped(64), isAccepted(64)]).toEqual([false, false]);
});

it("a release that fails sends nothing and breaks nothing", () => {
  const { hw, device, resize, bits, isMapped, vm } = start({ accept: "eager" });
  resize(128 * MIB);
  hw.script = ({ leaf }) => (leaf === RELEASE ? 0x8000_0200 : undefined);
  expect(resize(0)).toBe(ERRNO.EBUSY);
  expect([device.log, vm.has(VM.BROKEN)]).toEqual([["PLUG 0+64 ACK"], false]);
  expect([bits(63), isMapped(63)]).toEqual(["01", true]);
  hw.script = undefined;
  expect(resize(0)).toBe(0);
});

it("without PAGE_RELEASE it converts to shared and back, two calls for all of it", () => {
  const { hw, resize, bits } = start({ release: false, accept: "eager" });
  resize(128 * MIB);
  const before = hw.calls.length;
  hw.accepted.fill(0, WINDOW / 4096 / 8);
  expect(resize(0)).toBe(0);
  expect(hw.calls.slice(before).map(({ leaf }) => leaf)).toEqual([0, 0]);
  expect([bits(0), bits(63)]).toEqual(["10", "10"]);
});

/** The VMM refuses every conversion. */
const refuseConversions = (hw: FakeBoundary): void => {
  hw.script = ({ leaf }) => {
    if (leaf === VMCALL) setHalves(hw.regs(0), R10, 0, 0x8000_0000);
    return undefined;
  };
};

it("without PAGE_RELEASE a conversion that is refused sends nothing and breaks nothing", () => {
  const { hw, device, resize, bits, isMapped, vm } = start({ release: false, accept: "eager" });
  resize(128 * MIB);
  refuseConversions(hw);
  expect(resize(0)).toBe(ERRNO.EBUSY);
  expect([device.log, vm.has(VM.BROKEN), bits(63), isMapped(63)]).toEqual([
    ["PLUG 0+64 ACK"],
    false,
    "01",
    true,
  ]);
  expect(hw.doubles).toEqual([]);
});

it("a DIMM that could not be given back stays plugged by its bits until another try gives it back", () => {
  const { k, hw, bits } = start({ release: false, accept: "eager" });
  const dimm = WINDOW + 512 * MIB;
  const flags = k.iomem.intern("System RAM") * 256;
  const before = hw.accepts;
  expect(run(k, addMemory, 0, dimm, 128 * MIB, flags)).toBe(0);
  expect(hw.accepts - before).toBe(64);
  expect(ejectGuard.holds(k, dimm, 128 * MIB)).toBe(true);
  refuseConversions(hw);
  expect(run(k, offlineAndRemoveMemory, dimm, 128 * MIB)).toBe(0);
  expect([bits(256), bits(319), ejectGuard.holds(k, dimm, 128 * MIB)]).toEqual(["01", "01", true]);
  expect(run(k, ejectGuard.tryAgain, dimm, 128 * MIB)).toBe(ERRNO.EBUSY);
  hw.script = undefined;
  // Nothing is accepted a second time if its memory comes back to Linux instead.
  expect(run(k, addMemory, 0, dimm, 128 * MIB, flags)).toBe(0);
  expect([bits(256), hw.accepts - before, hw.doubles]).toEqual(["01", 64, []]);
  refuseConversions(hw);
  expect(run(k, offlineAndRemoveMemory, dimm, 128 * MIB)).toBe(0);
  hw.script = undefined;
  expect(run(k, ejectGuard.tryAgain, dimm, 128 * MIB)).toBe(0);
  expect([bits(256), bits(319), ejectGuard.holds(k, dimm, 128 * MIB)]).toEqual(["10", "10", false]);
});

it("memory of which no bit tells is looked at when it is added", () => {
  const { k, hw, bits, table } = start({ release: false, accept: "eager" });
  const dimm = WINDOW + 512 * MIB;
  const flags = k.iomem.intern("System RAM") * 256;
  expect(run(k, addMemory, 0, dimm, 128 * MIB, flags)).toBe(0);
  const accepts = hw.accepts;
  refuseConversions(hw);
  expect(run(k, offlineAndRemoveMemory, dimm, 128 * MIB)).toBe(0);
  clearRange(table.plugged!, FIRST + 256, FIRST + 320);
  expect([bits(256), bits(319)]).toEqual(["00", "00"]);
  hw.script = undefined;
  expect(run(k, addMemory, 0, dimm, 128 * MIB, flags)).toBe(0);
  // Nothing is accepted a second time: ATTR.RD says that all of it is.
  expect([bits(256), hw.accepts - accepts, hw.doubles]).toEqual(["01", 0, []]);
  expect(hw.calls.some(({ leaf }) => leaf === ATTR_RD)).toBe(true);
});

it("memory is neither plugged nor added where no bit can stand for it", () => {
  const { k, device, resize, log } = start({ regionSize: 2 ** 31 });
  expect(resize(1152 * MIB)).toBe(ERRNO.ENOSPC);
  expect(device.log.at(-1)).toBe("PLUG 448+64 ACK");
  expect(log.at(-1)).toContain("lies outside the unaccepted table");
  const flags = k.iomem.intern("System RAM") * 256;
  expect(run(k, addMemory, 0, END + 2 ** 31, 128 * MIB, flags)).toBe(ERRNO.EINVAL);
});

it("a DIMM that cannot be added leaves no unit accepted, its guard unit neither", () => {
  const { k, hw, isAccepted, bits, table } = start({ memmapOnMemory: true });
  k.blocks.failCreateBlocks(2);
  const dimm = WINDOW + 512 * MIB;
  const flags = 2 + k.iomem.intern("System RAM") * 256;
  expect(run(k, addMemory, 0, dimm, 256 * MIB, flags)).toBe(ERRNO.ENOMEM);
  // The memmap of both blocks and a guard behind each was accepted, and is not any more.
  expect([hw.accepts, hw.releases]).toEqual([4, 4]);
  expect([256, 257, 320, 321].map((unit) => [bits(unit), isAccepted(unit)])).toEqual(
    Array.from({ length: 4 }, () => ["10", false]),
  );
  expect(findNextSet(table.plugged!, table.units, FIRST)).toBe(table.units);
});

it("no accept takes a unit that leaves as its guard, in any order of steps", () => {
  for (let seed = 0; seed < 60; seed++) {
    const { k, hw, table } = start();
    table.markPlugged(FIRST, FIRST + 8, true);
    run(k, acceptMemory, WINDOW + 4 * UNIT, 4096);
    const [giver, taker] = [newTask(0), newTask(1, 0)];
    giver.start(leave, WINDOW + 4 * UNIT, 4 * UNIT);
    taker.start(acceptMemory, WINDOW, 4 * UNIT);
    let at = seed;
    interleave(k, [giver, taker], (runnable) => {
      at = (Math.imul(at, 1103515245) + 12345) >>> 0;
      return (at >>> 16) % runnable;
    });
    expect(hw.isAccepted(WINDOW, WINDOW + 4 * UNIT)).toBe(true);
    expect([
      getBit(table.unaccepted, FIRST + 4),
      hw.isAccepted(WINDOW + 4 * UNIT, WINDOW + 5 * UNIT),
    ]).toEqual([true, false]);
    expect(hw.doubles).toEqual([]);
  }
});
