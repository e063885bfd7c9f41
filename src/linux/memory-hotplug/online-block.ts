import { BLOCKED, type Frame } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { largestOrder } from "../geometry.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { BLOCK } from "../memory-block.ts";
import { freePagesCore, MEMINIT } from "../page-allocator/free-core.ts";
import { isolatePageblocks, undoIsolatePageRange } from "../page-allocator/isolation.ts";
import { setupPerZoneWmarks } from "../page-allocator/watermarks.ts";
import { movePfnRangeToZone, removePfnRangeFromZone } from "../page-allocator/zone-span.ts";
import { onlinePageOfVirtioMem, virtioMemAt } from "../virtio-mem/online-page.ts";
import { MEM_HOTPLUG_LOCK } from "./hotplug-locks.ts";
import { notifyCancelOnline, notifyGoingOnline, notifyOnline } from "./notifier.ts";
import { zoneForOnlining } from "./zone-for-range.ts";
import { zonelistLines } from "./zonelists.ts";

const { v, at, define } = KERNEL_PROCEDURES.declare("memory_block_online", {
  args: ["block", "type"],
  locals: ["zone", "pfn", "first", "end", "populated", "device"],
  steps: ["enter", "notified", "chunk", "done"],
});

/** Largest order of a chunk that starts at `pfn`: its alignment, at most a whole chunk. */
export const chunkOrder = ({ geometry }: Kernel, pfn: number): number =>
  largestOrder(geometry, pfn, geometry.pagesPerChunk);

/** The pages get their zone, become isolated and of page type "offline"; memmap pages get it first. */
const attachToZone = (k: Kernel, f: Frame<Kernel>): void => {
  const block = f.get(v.block);
  const row = k.blocks.rowOf(block);
  const start = block * k.blocks.pagesPerBlock;
  const memmap = k.blocks.altmapPages[row]!;
  const zone = zoneForOnlining(k, f.get(v.type), k.blocks.nodes[row]!, start, k.blocks.pagesPerBlock);
  f.set(v.zone, zone);
  f.set(v.first, start + memmap);
  f.set(v.end, start + k.blocks.pagesPerBlock);
  f.set(v.pfn, start + memmap);
  if (memmap > 0) movePfnRangeToZone(k, start, memmap, zone);
  movePfnRangeToZone(k, start + memmap, k.blocks.pagesPerBlock - memmap, zone);
  isolatePageblocks(k, start + memmap, k.blocks.pagesPerBlock - memmap);
  f.set(v.populated, k.zones.present[zone]! > 0 ? 1 : 0);
};

/** Somebody vetoed: everybody hears of it, and the pages have no zone again. */
const cancel = (k: Kernel, f: Frame<Kernel>, error: number): number => {
  const block = f.get(v.block);
  notifyCancelOnline(k, block, f.task);
  const start = block * k.blocks.pagesPerBlock;
  undoIsolatePageRange(k, f.get(v.first), f.get(v.end) - f.get(v.first));
  removePfnRangeFromZone(k, start, k.blocks.pagesPerBlock);
  k.locks.release(MEM_HOTPLUG_LOCK, f.task);
  return f.returns(error);
};

const finish = (k: Kernel, f: Frame<Kernel>): number => {
  const block = f.get(v.block);
  const zone = f.get(v.zone);
  const row = k.blocks.rowOf(block);
  k.zones.present[zone]! += k.blocks.pagesPerBlock;
  if (f.get(v.populated) === 0) for (const line of zonelistLines(k)) k.printk(line);
  undoIsolatePageRange(k, f.get(v.first), f.get(v.end) - f.get(v.first));
  setupPerZoneWmarks(k);
  k.blocks.states[row] = BLOCK.ONLINE;
  k.blocks.zones[row] = zone;
  notifyOnline(k, block, f.task);
  k.locks.release(MEM_HOTPLUG_LOCK, f.task);
  return f.returns(0);
};

/**
 * Onlines one memory block: (block number, MMOP type). The caller holds device_hotplug_lock.
 *
 * The zone is chosen and the pages attached to it; MEM_GOING_ONLINE may veto; the pages go chunk by chunk,
 * ascending, to the allocator or, in a virtio-mem region, to that driver's callback; then they become
 * allocatable, watermarks follow, and MEM_ONLINE is told.
 *
 * Returns 0, -EINVAL if the block is not offline, or the veto, the block being as before.
 *
 * @source Linux mm/memory_hotplug.c, online_pages; drivers/base/memory.c, memory_block_online
 * @missing hardware-poisoned pages (-EHWPOISON), MEM_PREPARE_ONLINE (nobody listens on x86)
 */
export const onlineBlock = define({
  enter: (k, f) => {
    if (k.blocks.stateOf(f.get(v.block)) !== BLOCK.OFFLINE) return f.returns(ERRNO.EINVAL);
    if (!k.locks.tryTake(MEM_HOTPLUG_LOCK, f.task)) return BLOCKED;
    attachToZone(k, f);
    f.set(v.device, virtioMemAt(k, f.get(v.block) * k.blocks.blockSize));
    return f.call(notifyGoingOnline, at.notified, f.get(v.block));
  },
  notified: (k, f) => (f.result < 0 ? cancel(k, f, f.result) : at.chunk),
  chunk: (k, f) => {
    const pfn = f.get(v.pfn);
    if (pfn >= f.get(v.end)) return at.done;
    const order = chunkOrder(k, pfn);
    f.set(v.pfn, pfn + (1 << order));
    const device = f.get(v.device);
    if (device < 0) return f.call(freePagesCore, at.chunk, pfn, order, MEMINIT.HOTPLUG);
    return f.call(onlinePageOfVirtioMem, at.chunk, pfn, order, device);
  },
  done: finish,
});
