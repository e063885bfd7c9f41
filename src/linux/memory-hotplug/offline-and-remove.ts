import type { Frame } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { BLOCK, MMOP } from "../memory-block.ts";
import { ZONE, zoneType } from "../page-allocator/zones.ts";
import { DEVICE_HOTPLUG_LOCK, lockDeviceHotplug } from "./hotplug-locks.ts";
import { offlineBlock } from "./offline-block.ts";
import { onlineBlock } from "./online-block.ts";
import { tryRemoveMemory } from "./remove-memory.ts";

const { v, at, define } = KERNEL_PROCEDURES.declare("offline_and_remove_memory", {
  args: ["start", "size"],
  locals: ["block", "end", "error"],
  steps: ["enter", "locked", "offline", "offlined", "removed", "reonline", "done"],
});

/** Type with which a block that was just offlined came online, told by its zone. */
const onlinedAs = (k: Kernel, row: number): number =>
  zoneType(k.blocks.zones[row]!) === ZONE.MOVABLE ? MMOP.ONLINE_MOVABLE : MMOP.ONLINE_KERNEL;

const leave = (k: Kernel, f: Frame<Kernel>, answer: number): number => {
  k.locks.release(DEVICE_HOTPLUG_LOCK, f.task);
  return f.returns(answer);
};

/**
 * offline_and_remove_memory(start, size) in bytes: offlines every block and removes the range, or does
 * nothing: when a block cannot go offline, those before it go online again, into the zone they were in.
 *
 * Returns 0, -EINVAL for a range that is empty or not whole blocks, or the error of the block that stayed.
 *
 * @source Linux mm/memory_hotplug.c, offline_and_remove_memory
 */
export const offlineAndRemoveMemory = define({
  enter: (k, f) => {
    const { blockSize } = k.blocks;
    if (f.get(v.size) <= 0 || f.get(v.start) % blockSize !== 0 || f.get(v.size) % blockSize !== 0)
      return f.returns(ERRNO.EINVAL);
    return f.call(lockDeviceHotplug, at.locked);
  },
  locked: (k, f) => {
    f.set(v.block, k.blocks.blockOf(f.get(v.start)));
    f.set(v.end, k.blocks.blockOf(f.get(v.start) + f.get(v.size)));
    for (let block = f.get(v.block); block < f.get(v.end); block++) {
      const row = k.blocks.rowOf(block);
      if (row >= 0) k.blocks.reonline[row] = MMOP.OFFLINE;
    }
    return at.offline;
  },
  offline: (k, f) => {
    const block = f.get(v.block);
    if (block === f.get(v.end)) return f.call(tryRemoveMemory, at.removed, f.get(v.start), f.get(v.size));
    const row = k.blocks.rowOf(block);
    const state = k.blocks.stateOf(block);
    if (state === BLOCK.OFFLINE || state === BLOCK.ABSENT) {
      f.set(v.block, block + 1);
      return at.offline;
    }
    k.blocks.reonline[row] = onlinedAs(k, row);
    return f.call(offlineBlock, at.offlined, block);
  },
  offlined: (_k, f) => {
    const block = f.get(v.block);
    if (f.result === 0) {
      f.set(v.block, block + 1);
      return at.offline;
    }
    // This one stayed online; those before it come back.
    f.set(v.error, f.result);
    return at.reonline;
  },
  removed: (k, f) => {
    if (f.result === 0) return leave(k, f, 0);
    f.set(v.error, f.result);
    return at.reonline;
  },
  reonline: (k, f) => {
    const block = f.get(v.block) - 1;
    if (block < k.blocks.blockOf(f.get(v.start))) return at.done;
    f.set(v.block, block);
    const type = k.blocks.reonline[k.blocks.rowOf(block)]!;
    return type === MMOP.OFFLINE ? at.reonline : f.call(onlineBlock, at.reonline, block, type);
  },
  done: (k, f) => leave(k, f, f.get(v.error)),
});
