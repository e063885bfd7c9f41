import { BLOCKED, type Frame } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { BLOCK } from "../memory-block.ts";
import { virtioMemAt } from "../virtio-mem/online-page.ts";
import { removeBlocksAndAltmaps } from "./altmap-blocks.ts";
import { archRemoveMemory } from "./arch-memory.ts";
import { DEVICE_HOTPLUG_LOCK, lockDeviceHotplug, MEM_HOTPLUG_LOCK } from "./hotplug-locks.ts";
import { SYSTEM_RAM_NAME } from "./mhp-flags.ts";

/** First block of [start, start + size) that is there and not offline, or -1. */
const onlineBlockIn = (k: Kernel, start: number, size: number): number => {
  for (let block = k.blocks.blockOf(start); block < k.blocks.blockOf(start + size); block++) {
    const state = k.blocks.stateOf(block);
    if (state !== BLOCK.OFFLINE && state !== BLOCK.ABSENT) return block;
  }
  return -1;
};

const warnOnline = (k: Kernel, block: number): void => {
  const hex = (n: number): string => `0x${n.toString(16).padStart(16, "0")}`;
  const start = block * k.blocks.blockSize;
  k.printk(
    `removing memory fails, because memory [${hex(start)}-${hex(start + k.blocks.blockSize - 1)}] is onlined`,
  );
};

const { v, at, define } = KERNEL_PROCEDURES.declare("try_remove_memory", {
  args: ["start", "size"],
  locals: ["node", "altmap"],
  steps: ["enter", "begin", "hooked", "unmap", "unmapped", "removed"],
});

/** Takes blocks, mapping and memmap of a range away whose memmap lies elsewhere. */
const removeAtOnce = (k: Kernel, f: Frame<Kernel>): void => {
  const start = f.get(v.start);
  const size = f.get(v.size);
  for (let block = k.blocks.blockOf(start); block < k.blocks.blockOf(start + size); block++)
    if (k.blocks.stateOf(block) === BLOCK.OFFLINE) k.blocks.remove(block);
  archRemoveMemory(k, start, size);
};

/**
 * try_remove_memory(start, size) in bytes: takes offline memory out of Linux. The caller holds
 * device_hotplug_lock.
 *
 * Firmware-map entry; mem_hotplug_lock; design hook removeMemory; block devices, mapping and memmap (block by
 * block with the altmapRemoved hook where blocks hold their own memmap); the iomem resource; the node if it is
 * empty now; design hook memoryRemoved.
 *
 * Returns 0, or -EBUSY with a warning and nothing changed when a block is not offline, or what removeMemory
 * answered if that is negative.
 *
 * @source Linux mm/memory_hotplug.c, try_remove_memory; hooks: RFCv2 patch 5
 */
export const tryRemoveMemory = define({
  enter: (k, f) => {
    const block = onlineBlockIn(k, f.get(v.start), f.get(v.size));
    if (block >= 0) {
      warnOnline(k, block);
      return f.returns(ERRNO.EBUSY);
    }
    k.firmwareMap.remove(f.get(v.start), f.get(v.start) + f.get(v.size), SYSTEM_RAM_NAME);
    return at.begin;
  },
  begin: (k, f) => {
    if (!k.locks.tryTake(MEM_HOTPLUG_LOCK, f.task)) return BLOCKED;
    return f.callIf(k.design.hooks.removeMemory, at.hooked, f.get(v.start), f.get(v.size));
  },
  hooked: (k, f) => {
    if (f.result >= 0) return at.unmap;
    k.locks.release(MEM_HOTPLUG_LOCK, f.task);
    return f.returns(f.result);
  },
  unmap: (k, f) => {
    const row = k.blocks.rowOf(k.blocks.blockOf(f.get(v.start)));
    f.set(v.node, k.blocks.nodes[row] ?? -1);
    if ((k.blocks.altmapPages[row] ?? 0) !== 0)
      return f.call(removeBlocksAndAltmaps, at.unmapped, f.get(v.start), f.get(v.size));
    removeAtOnce(k, f);
    return at.unmapped;
  },
  unmapped: (k, f) => {
    k.iomem.releaseAdjustable(f.get(v.start), f.get(v.size));
    k.blocks.tryOfflineNode(f.get(v.node));
    const managed = virtioMemAt(k, f.get(v.start)) >= 0 ? 1 : 0;
    return f.callIf(k.design.hooks.memoryRemoved, at.removed, f.get(v.start), f.get(v.size), managed);
  },
  removed: (k, f) => {
    k.locks.release(MEM_HOTPLUG_LOCK, f.task);
    return f.returns(0);
  },
});

const locked = KERNEL_PROCEDURES.declare("remove_memory", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "locked", "done"],
});

/** remove_memory(start, size): tryRemoveMemory under device_hotplug_lock. Returns as it does. */
export const removeMemory = locked.define({
  enter: (_k, f) => f.call(lockDeviceHotplug, locked.at.locked),
  locked: (_k, f) => f.call(tryRemoveMemory, locked.at.done, f.get(locked.v.start), f.get(locked.v.size)),
  done: (k, f) => {
    k.locks.release(DEVICE_HOTPLUG_LOCK, f.task);
    return f.returns(f.result);
  },
});
