import { ERRNO } from "../linux/errno.ts";
import { KERNEL_PROCEDURES } from "../linux/kernel.ts";
import { BLOCK, MMOP } from "../linux/memory-block.ts";
import { DEVICE_HOTPLUG_LOCK, lockDeviceHotplug } from "../linux/memory-hotplug/hotplug-locks.ts";
import { offlineBlock } from "../linux/memory-hotplug/offline-block.ts";
import { onlineBlock } from "../linux/memory-hotplug/online-block.ts";
import { exchange } from "../vmm/snp/set-aside.ts";
import { GUEST_CONTENT, STALE_CONTENT } from "./hardware.ts";
import type { Machine } from "./machine.ts";
import { SnpPlatform } from "./snp-platform.ts";

const store = KERNEL_PROCEDURES.declare("state_store", {
  args: ["block", "last", "type"],
  locals: ["error"],
  steps: ["next", "locked", "done"],
});

/**
 * `echo TYPE > /sys/devices/system/memory/memoryN/state` for blocks (first, last) in ascending order, type as
 * an MMOP number. A block that already is in the wanted state, or is not there, is -EINVAL as in sysfs.
 *
 * Returns 0, or the first error; later blocks are tried all the same, as a shell loop would.
 *
 * @source Linux drivers/base/memory.c, state_store
 */
export const storeBlockState = store.define({
  next: (_k, f) => {
    const { v, at } = store;
    if (f.get(v.block) > f.get(v.last)) return f.returns(f.get(v.error));
    return f.call(lockDeviceHotplug, at.locked);
  },
  locked: (k, f) => {
    const { v, at } = store;
    const block = f.get(v.block);
    const type = f.get(v.type);
    const offline = type === MMOP.OFFLINE;
    if (k.blocks.stateOf(block) === (offline ? BLOCK.ONLINE : BLOCK.OFFLINE))
      return f.call(offline ? offlineBlock : onlineBlock, at.done, block, type);
    if (f.get(v.error) === 0) f.set(v.error, ERRNO.EINVAL);
    k.locks.release(DEVICE_HOTPLUG_LOCK, f.task);
    f.set(v.block, block + 1);
    return at.next;
  },
  done: (k, f) => {
    const { v, at } = store;
    if (f.result !== 0 && f.get(v.error) === 0) f.set(v.error, f.result);
    k.locks.release(DEVICE_HOTPLUG_LOCK, f.task);
    f.set(v.block, f.get(v.block) + 1);
    return at.next;
  },
});

/**
 * A hostile host shows the guest, in the units of [start, end) bytes, what it had set aside. What the guest wrote there once is not
 * what it has a right to find now.
 *
 * @returns units that changed
 */
export const remapKept = (machine: Machine, start: number, end: number): number => {
  const { vmm, platform } = machine;
  const changed = exchange(vmm, start / 4096, end / 4096);
  if (!(platform instanceof SnpPlatform)) return changed;
  const { guest, store } = platform;
  for (let gfn = start / 4096; gfn < end / 4096; gfn++) {
    const frame = guest.npt.translate(gfn);
    if (frame >= 0 && store.content(frame) === GUEST_CONTENT) store.stamp(frame, STALE_CONTENT);
  }
  return changed;
};
