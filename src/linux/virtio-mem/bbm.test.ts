import { expect, it } from "vitest";
import { ERRNO } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import { USE } from "../mem-map.ts";
import { BLOCK, MMOP } from "../memory-block.ts";
import { storeBlockState } from "../memory-hotplug/block-sysfs.ts";
import { allocPages, freePages } from "../page-allocator/alloc.ts";
import { brokenAllocatorRules } from "../testing/allocator-rules.ts";
import { run } from "../testing/fake-kernel.ts";
import { VM } from "./driver.ts";
import { BBM_STATES } from "./states.ts";
import { BLOCK_SIZE, GIB, MIB, type OneDeviceOptions, oneDevice, REGION } from "./testing/one-device.ts";

/** Big blocks of 256 MiB: two Linux memory blocks, two sections. */
const BIG = 2 * BLOCK_SIZE;
const bigBlocks = (options: OneDeviceOptions = {}) =>
  oneDevice({ options: { forceBbm: true, bbmBlockSize: BIG, unplugOnline: true }, ...options });
const states = (vm: { states: Uint8Array }, count: number) =>
  [...vm.states.subarray(0, count)].map((state) => BBM_STATES[state]);

/** Takes chunks until one lies at or above the address; gives the others back. */
const holdChunkAbove = (k: Kernel, address: number): number => {
  const others: number[] = [];
  for (;;) {
    const pfn = run(k, allocPages, 10, 0, 0, 3);
    if (pfn < 0) throw new Error("no chunk there");
    if (pfn * 4096 >= address) {
      for (const other of others) freePages(k, other, 10);
      return pfn;
    }
    others.push(pfn);
  }
};

it("chooses big blocks when a device block is no smaller than a memory block, or when told", () => {
  expect(oneDevice({ deviceBlock: BLOCK_SIZE }).vm.layout).toEqual({
    sbm: false,
    blockSize: BLOCK_SIZE,
    subBlockSize: BLOCK_SIZE,
    firstBlock: REGION / BLOCK_SIZE,
    blocks: 32,
  });
  const { vm, log } = bigBlocks();
  expect([vm.layout.blockSize, vm.words[VM.OFFLINE_THRESHOLD]]).toEqual([BIG, GIB]);
  expect(log.at(-1)).toBe("virtio_mem virtio0: big block size: 0x10000000");
  const odd = oneDevice({ options: { forceBbm: true, bbmBlockSize: BIG + MIB } });
  expect(odd.vm.layout.blockSize).toBe(BLOCK_SIZE);
  const large = oneDevice({ options: { forceBbm: true, bbmBlockSize: GIB } });
  expect(large.vm.words[VM.OFFLINE_THRESHOLD]).toBe(2 * GIB);
});

it("plugs whole big blocks, unplugs the highest, and fills its place again", () => {
  const { k, device, resize, vm } = bigBlocks();
  expect(resize(2 * BIG + BIG / 2)).toBe(0);
  expect(device.log).toEqual(["PLUG 0+128 ACK", "PLUG 128+128 ACK"]);
  expect(resize(BIG)).toBe(0);
  expect(states(vm, 2)).toEqual(["ADDED", "UNUSED"]);
  expect(k.iomem.iomemText()).toContain("  200000000-20fffffff : System RAM (virtio_mem)\n");
  expect(resize(2 * BIG)).toBe(0);
  expect(device.log.slice(2)).toEqual(["UNPLUG 128+128 ACK", "PLUG 128+128 ACK"]);
});

it("gives every page back when one section is busy, and goes on with the next block", () => {
  const world = bigBlocks();
  const { k, device, resize, vm } = world;
  resize(2 * BIG);
  const free = k.zones.sum(k.zones.free);
  const pfn = holdChunkAbove(k, REGION + BIG + BLOCK_SIZE);
  device.log.length = 0;
  expect(resize(BIG)).toBe(0);
  // The upper block is busy in its second section; the lower one goes instead.
  expect(device.log).toEqual(["UNPLUG 0+128 ACK"]);
  expect(states(vm, 2)).toEqual(["UNUSED", "ADDED"]);
  expect(resize(0)).toBe(ERRNO.EBUSY);
  expect(k.mm.useAt((REGION + BIG) / 4096)).toBe(USE.FREE);
  expect(brokenAllocatorRules(world)).toEqual([]);
  freePages(k, pfn, 10);
  // The memmap of the lower block, a unit a section, came back too.
  expect(k.zones.sum(k.zones.free)).toBe(free - BIG / 4096 + 2 * 512);
  expect(resize(0)).toBe(0);
});

it("prefers offline blocks, then movable ones, and with unplug_online=N takes offline ones only", () => {
  const { k, device, resize, vm, work } = bigBlocks({
    options: { forceBbm: true, bbmBlockSize: BIG, unplugOnline: false },
  });
  resize(3 * BIG);
  for (const n of [2, 3]) run(k, storeBlockState, REGION / BLOCK_SIZE + n, MMOP.OFFLINE);
  device.log.length = 0;
  expect(resize(BIG)).toBe(0);
  expect(device.log).toEqual(["UNPLUG 128+128 ACK"]);
  expect(states(vm, 3)).toEqual(["ADDED", "UNUSED", "ADDED"]);
  expect([work(), device.pluggedSize()]).toEqual([0, 2 * BIG]);
  const movable = bigBlocks({ online: MMOP.OFFLINE });
  movable.resize(2 * BIG);
  for (const n of [0, 1, 2, 3]) {
    const type = n < 2 ? MMOP.ONLINE_MOVABLE : MMOP.ONLINE_KERNEL;
    expect(run(movable.k, storeBlockState, REGION / BLOCK_SIZE + n, type)).toBe(0);
  }
  movable.device.log.length = 0;
  movable.resize(BIG);
  expect(movable.device.log).toEqual(["UNPLUG 0+128 ACK"]);
});

it("keeps a removed block PLUGGED when the device does not take it, and unplugs it later", () => {
  const { k, device, resize, vm, work } = bigBlocks();
  resize(BIG);
  device.script = (type) => (type === 1 ? 2 : undefined);
  expect(resize(0)).toBe(ERRNO.ETXTBSY);
  expect([states(vm, 1), k.blocks.stateOf(REGION / BLOCK_SIZE)]).toEqual([["PLUGGED"], BLOCK.ABSENT]);
  device.script = undefined;
  expect(work()).toBe(0);
  expect([states(vm, 1), device.pluggedSize()]).toEqual([["UNUSED"], 0]);
});

it("puts what it could not add back", () => {
  const { k, device, resize, vm } = bigBlocks();
  k.blocks.failArchAdd(1);
  expect(resize(BIG)).toBe(ERRNO.ENOMEM);
  expect(device.log).toEqual(["PLUG 0+128 ACK", "UNPLUG 0+128 ACK"]);
  expect(states(vm, 1)).toEqual(["UNUSED"]);
});
