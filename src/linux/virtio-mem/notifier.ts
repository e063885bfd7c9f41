import { ERRNO } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import { virtioMemMutex } from "../locks.ts";
import { ZONE, zoneType } from "../page-allocator/zones.ts";
import { devPrint } from "./dev-printk.ts";
import { type VirtioMemDriver, VM } from "./driver.ts";
import { SBM } from "./states.ts";

/** Answer of a notifier that has to wait for the device's mutex. */
export const WOULD_BLOCK = 1;

const concerns = (k: Kernel, vm: VirtioMemDriver, block: number): boolean =>
  vm.has(VM.READY) && vm.overlaps(block * k.blocks.blockSize, k.blocks.blockSize);

/** Takes the mutex for the time from MEM_GOING_* to the event that ends it. */
const begin = (k: Kernel, device: number, task: number): number => {
  const vm = k.virtioMem[device]!;
  const mutex = virtioMemMutex(device);
  if (!k.locks.tryTake(mutex, task)) return WOULD_BLOCK;
  if (vm.has(VM.REMOVING)) {
    k.locks.release(mutex, task);
    return ERRNO.EBUSY;
  }
  vm.words[VM.HOTPLUG_ACTIVE] = 1;
  return 0;
};

const end = (k: Kernel, device: number, task: number): void => {
  k.virtioMem[device]!.words[VM.HOTPLUG_ACTIVE] = 0;
  k.locks.release(virtioMemMutex(device), task);
};

/**
 * MEM_GOING_ONLINE of a Linux memory block at one device: takes its mutex and holds it until MEM_ONLINE or
 * MEM_CANCEL_ONLINE. In sub-block mode a block that the driver does not know as offline is denied.
 *
 * @returns 0, WOULD_BLOCK with nothing changed, -EBUSY while the driver goes away, -EPERM when denied
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_memory_notifier_cb
 */
export const virtioMemGoingOnline = (k: Kernel, device: number, block: number, task: number): number => {
  const vm = k.virtioMem[device]!;
  if (!concerns(k, vm, block)) return 0;
  const answer = begin(k, device, task);
  if (answer !== 0 || !vm.layout.sbm) return answer;
  const state = vm.stateOf(block);
  if (state === SBM.OFFLINE || state === SBM.OFFLINE_PARTIAL) return 0;
  devPrint(k, vm, "memory block onlining denied");
  return ERRNO.EPERM;
};

/**
 * MEM_GOING_OFFLINE. The kernel drops the reference that each page of an unplugged sub-block carries, so
 * that offlining may skip it; here the uses OFFLINE and FAKE_OFFLINE say the same.
 */
export const virtioMemGoingOffline = (k: Kernel, device: number, block: number, task: number): number =>
  concerns(k, k.virtioMem[device]!, block) ? begin(k, device, task) : 0;

/** MEM_ONLINE: the state follows, and if this was not the driver's own doing more memory may be added. */
export const virtioMemOnline = (k: Kernel, device: number, block: number, task: number): void => {
  const vm = k.virtioMem[device]!;
  if (!concerns(k, vm, block)) return;
  const zone = k.blocks.zones[k.blocks.rowOf(block)]!;
  if (vm.layout.sbm)
    vm.sbmEvent(block, zoneType(zone) === ZONE.MOVABLE ? "online to MOVABLE" : "online to a kernel zone");
  vm.words[VM.OFFLINE_SIZE]! -= k.blocks.blockSize;
  if (!vm.has(VM.WORK_ACTIVE) && vm.couldAdd(vm.words[VM.OFFLINE_THRESHOLD]! / 2)) vm.retry();
  end(k, device, task);
};

/** MEM_OFFLINE: the state follows; a driver that unplugs offline memory only has something to do now. */
export const virtioMemOffline = (k: Kernel, device: number, block: number, task: number): void => {
  const vm = k.virtioMem[device]!;
  if (!concerns(k, vm, block)) return;
  if (vm.layout.sbm) vm.sbmEvent(block, "offline");
  vm.words[VM.OFFLINE_SIZE]! += k.blocks.blockSize;
  if (!k.options.unplugOnline) vm.retry();
  end(k, device, task);
};

/** MEM_CANCEL_ONLINE and MEM_CANCEL_OFFLINE come to devices that never saw MEM_GOING_* too. */
const cancel = (k: Kernel, device: number, block: number, task: number): void => {
  const vm = k.virtioMem[device]!;
  if (concerns(k, vm, block) && vm.has(VM.HOTPLUG_ACTIVE)) end(k, device, task);
};
export const virtioMemCancelOnline = cancel;
export const virtioMemCancelOffline = cancel;
