import { expect, it } from "vitest";
import { BLOCKED } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { virtioMemMutex } from "../locks.ts";
import { BLOCK, MMOP } from "../memory-block.ts";
import { storeBlockState } from "../memory-hotplug/block-sysfs.ts";
import { loggedHooks, scriptHooks } from "../memory-hotplug/testing/hook-log.ts";
import { allocPages } from "../page-allocator/alloc.ts";
import { brokenAllocatorRules } from "../testing/allocator-rules.ts";
import { newTask, run } from "../testing/fake-kernel.ts";
import { VM } from "./driver.ts";
import { virtioMemRemove, virtioMemSuspend } from "./probe.ts";
import { SBM } from "./states.ts";
import { BLOCK_SIZE, FIRST, MIB, oneDevice } from "./testing/one-device.ts";
import { virtioMemConfigChanged, virtioMemRunWork } from "./work.ts";

it("tries again to remove a block of which nothing is plugged, and is busy until it is gone", () => {
  const { k, device, resize, vm, work } = oneDevice({ design: loggedHooks });
  const { answers } = scriptHooks(k);
  resize(BLOCK_SIZE);
  answers.removeMemory = ERRNO.EBUSY;
  expect(resize(0)).toBe(ERRNO.EBUSY);
  // Unplugged, and online again because it could not be removed.
  expect([device.pluggedSize(), k.blocks.stateOf(FIRST)]).toEqual([0, BLOCK.ONLINE]);
  expect([vm.stateOf(FIRST), vm.has(VM.HAVE_UNPLUGGED_MB)]).toEqual([SBM.KERNEL_PARTIAL, true]);
  expect(vm.words[VM.TIMER_MS]).toBe(50_000);
  expect(work()).toBe(ERRNO.EBUSY);
  answers.removeMemory = 0;
  expect(work()).toBe(0);
  expect([vm.stateOf(FIRST), k.blocks.stateOf(FIRST)]).toEqual([SBM.UNUSED, BLOCK.ABSENT]);
});

it("takes single sub-blocks where the whole block is busy, and returns what the device refuses", () => {
  const world = oneDevice();
  const { k, device, resize, vm } = world;
  resize(BLOCK_SIZE);
  let pfn = 0;
  const held: number[] = [];
  do held.push((pfn = run(k, allocPages, 10, 0, 0, 3)));
  while (Math.floor(pfn / 32768) !== FIRST);
  device.log.length = 0;
  const busy = (pfn - FIRST * 32768) / 512;
  expect(resize(0)).toBe(ERRNO.EBUSY);
  expect(device.log).toHaveLength(62);
  expect(device.log).not.toContain(`UNPLUG ${busy}+1 ACK`);
  expect([vm.words[VM.PLUGGED], vm.stateOf(FIRST)]).toEqual([4 * MIB, SBM.KERNEL_PARTIAL]);
  expect(brokenAllocatorRules(world)).toEqual([]);
  expect(held.length).toBeGreaterThan(0);
});

it("stops unplugging at once when the request changes in the middle, and takes no more pages", () => {
  const { k, device, resize } = oneDevice({ design: loggedHooks });
  const { log } = scriptHooks(k);
  resize(BLOCK_SIZE - 2 * MIB);
  device.log.length = 0;
  device.script = (type) => {
    if (type === 1 && device.log.length === 2) {
      device.requested = BLOCK_SIZE - 8 * MIB;
      virtioMemConfigChanged(k, 0);
    }
    return undefined;
  };
  expect(resize(0)).toBe(0);
  expect(device.log).toEqual(["UNPLUG 62+1 ACK", "UNPLUG 61+1 ACK", "UNPLUG 60+1 ACK"]);
  expect(log.filter((line) => line.startsWith("fakeOnline"))).toEqual([]);
});

it("sends no unplug of offline memory either once the request changed", () => {
  const { k, device, resize } = oneDevice({ online: MMOP.OFFLINE });
  resize(3 * BLOCK_SIZE);
  device.log.length = 0;
  device.script = (type) => {
    if (type === 1 && device.log.length === 0) {
      device.requested = 2 * BLOCK_SIZE;
      virtioMemConfigChanged(k, 0);
    }
    return undefined;
  };
  expect(resize(0)).toBe(0);
  expect(device.log).toEqual(["UNPLUG 128+64 ACK"]);
});

it("adds blocks that it had before no further than the limit of offline memory either", () => {
  const { k, device, resize } = oneDevice();
  resize(10 * BLOCK_SIZE);
  expect(resize(0)).toBe(0);
  k.blocks.autoOnline = MMOP.OFFLINE;
  expect(resize(10 * BLOCK_SIZE)).toBe(ERRNO.ENOSPC);
  expect(device.pluggedSize()).toBe(8 * BLOCK_SIZE);
});

it("fills an offline block without touching its pages", () => {
  const { k, device, resize, vm } = oneDevice({ online: MMOP.OFFLINE });
  resize(4 * MIB);
  const free = k.zones.sum(k.zones.free);
  expect(resize(10 * MIB)).toBe(0);
  expect(device.log).toEqual(["PLUG 0+2 ACK", "PLUG 2+3 ACK"]);
  expect([vm.stateOf(FIRST), k.zones.sum(k.zones.free)]).toEqual([SBM.OFFLINE_PARTIAL, free]);
});

it("vetoes onlining and offlining while the driver goes away, and lets go of its mutex", () => {
  const { k, vm, resize } = oneDevice({ online: MMOP.OFFLINE });
  resize(2 * BLOCK_SIZE);
  run(k, storeBlockState, FIRST, MMOP.ONLINE);
  vm.words[VM.REMOVING] = 1;
  expect(run(k, storeBlockState, FIRST + 1, MMOP.ONLINE)).toBe(ERRNO.EBUSY);
  expect(run(k, storeBlockState, FIRST, MMOP.OFFLINE)).toBe(ERRNO.EBUSY);
  expect([0, 1].map((n) => k.blocks.stateOf(FIRST + n))).toEqual([BLOCK.ONLINE, BLOCK.OFFLINE]);
  expect(k.locks.isFree(virtioMemMutex(0))).toBe(true);
  vm.words[VM.WORK_PENDING] = 0;
  virtioMemConfigChanged(k, 0);
  expect(vm.has(VM.WORK_PENDING)).toBe(false);
});

it("frees the mutex when offlining fails after it was told", () => {
  const { k, resize } = oneDevice();
  resize(BLOCK_SIZE);
  const f = newTask(1, 0);
  f.start(storeBlockState, FIRST, MMOP.OFFLINE);
  while (f.where !== "memory_block_offline:notified") f.step(k);
  k.blocks.signal(1);
  while (!f.idle) expect(f.step(k)).not.toBe(BLOCKED);
  expect([f.result, k.locks.isFree(virtioMemMutex(0))]).toEqual([ERRNO.EINTR, true]);
  expect(k.blocks.stateOf(FIRST)).toBe(BLOCK.ONLINE);
});

it("an onliner that comes while an empty offline block is being removed is denied", () => {
  const { k, device, resize, vm } = oneDevice({ online: MMOP.OFFLINE });
  resize(BLOCK_SIZE);
  device.requested = 0;
  virtioMemConfigChanged(k, 0);
  const online = newTask(2, 0);
  online.start(storeBlockState, FIRST, MMOP.ONLINE);
  while (online.where !== "notify MEM_GOING_ONLINE:enter") online.step(k);
  const work = newTask(1, 0);
  work.start(virtioMemRunWork, 0);
  while (work.step(k) !== BLOCKED);
  // The worker waits for device_hotplug_lock, the mutex is free, the block is UNUSED already.
  expect([work.where, vm.stateOf(FIRST)]).toEqual(["lock_device_hotplug:take", SBM.UNUSED]);
  while (!online.idle) online.step(k);
  while (!work.idle) work.step(k);
  expect([online.result, work.result, k.blocks.stateOf(FIRST)]).toEqual([ERRNO.EPERM, 0, BLOCK.ABSENT]);
});

it("names what it does not model instead of inventing it", () => {
  expect(virtioMemSuspend).toThrow("not modelled: suspend with a virtio-mem device");
  expect(virtioMemRemove).toThrow("not modelled: removal of a virtio-mem driver");
});
