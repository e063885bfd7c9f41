import { BLOCKED, type Frame, type Next } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { BLOCK, NO_SINGLE_ZONE } from "../memory-block.ts";
import {
  ISOLATE,
  offlineIsolatedPages,
  startIsolatePageRange,
  testPagesIsolated,
  undoIsolatePageRange,
} from "../page-allocator/isolation.ts";
import { migrateRange } from "../page-allocator/migrate.ts";
import { setupPerZoneWmarks } from "../page-allocator/watermarks.ts";
import { removePfnRangeFromZone } from "../page-allocator/zone-span.ts";
import { MEM_HOTPLUG_LOCK } from "./hotplug-locks.ts";
import { notifyCancelOffline, notifyGoingOffline, notifyOffline } from "./notifier.ts";
import { zonelistLines } from "./zonelists.ts";

const { v, at, define } = KERNEL_PROCEDURES.declare("memory_block_offline", {
  args: ["block"],
  locals: ["first", "pages", "freeBefore"],
  steps: ["enter", "isolate", "isolated", "notified", "migrate", "migrated", "stuck", "test"],
});

/** The debug line that every failed attempt leaves, where debug messages are printed. */
const explain = (k: Kernel, f: Frame<Kernel>, reason: string): void => {
  if (k.options.dyndbg !== true) return;
  const hex = (bytes: number): string => `0x${bytes.toString(16).padStart(8, "0")}`;
  const start = f.get(v.first) * k.geometry.pageSize;
  const end = start + f.get(v.pages) * k.geometry.pageSize - 1;
  k.printk(`memory offlining [mem ${hex(start)}-${hex(end)}] failed due to ${reason}`);
};

/** The block stays online. */
const fail = (k: Kernel, f: Frame<Kernel>, error: number, reason: string): Next => {
  explain(k, f, reason);
  k.blocks.states[k.blocks.rowOf(f.get(v.block))] = BLOCK.ONLINE;
  k.locks.release(MEM_HOTPLUG_LOCK, f.task);
  return f.returns(error);
};

/** As fail, after isolation: it is undone, and listeners hear that the block stays. */
const failIsolated = (k: Kernel, f: Frame<Kernel>, error: number, reason: string): Next => {
  undoIsolatePageRange(k, f.get(v.first), f.get(v.pages));
  notifyCancelOffline(k, f.get(v.block), f.task);
  return fail(k, f, error, reason);
};

const finish = (k: Kernel, f: Frame<Kernel>): Next => {
  const block = f.get(v.block);
  const row = k.blocks.rowOf(block);
  const zone = k.blocks.zones[row]!;
  offlineIsolatedPages(k, f.get(v.first), f.get(v.pages));
  k.zones.present[zone]! -= k.blocks.pagesPerBlock;
  setupPerZoneWmarks(k);
  if (k.zones.present[zone] === 0) for (const line of zonelistLines(k)) k.printk(line);
  k.blocks.states[row] = BLOCK.OFFLINE;
  notifyOffline(k, block, f.task);
  removePfnRangeFromZone(k, block * k.blocks.pagesPerBlock, k.blocks.pagesPerBlock);
  k.blocks.zones[row] = NO_SINGLE_ZONE;
  k.locks.release(MEM_HOTPLUG_LOCK, f.task);
  return f.returns(0);
};

/**
 * Offlines one memory block: (block number). The caller holds device_hotplug_lock.
 *
 * The block's pages are isolated, which accepts every chunk of it that waits unaccepted; MEM_GOING_OFFLINE
 * may veto; movable pages are moved away, again and again, until only free pages are left; these leave the
 * allocator, and MEM_OFFLINE is told.
 *
 * Returns 0; -EINVAL if the block is not online, has holes or several zones; -EBUSY for unmovable pages;
 * -EINTR when the caller got a signal; or the veto. A failed attempt leaves the block online.
 *
 * @source Linux mm/memory_hotplug.c, offline_pages
 * @missing huge pages that cannot be dissolved; the dump of the unmovable page
 */
export const offlineBlock = define({
  enter: (k, f) => {
    const row = k.blocks.rowOf(f.get(v.block));
    if (row < 0 || k.blocks.states[row] !== BLOCK.ONLINE) return f.returns(ERRNO.EINVAL);
    if (!k.locks.tryTake(MEM_HOTPLUG_LOCK, f.task)) return BLOCKED;
    const memmap = k.blocks.altmapPages[row]!;
    k.blocks.states[row] = BLOCK.GOING_OFFLINE;
    f.set(v.first, f.get(v.block) * k.blocks.pagesPerBlock + memmap);
    f.set(v.pages, k.blocks.pagesPerBlock - memmap);
    if (k.blocks.zones[row] === NO_SINGLE_ZONE) return fail(k, f, ERRNO.EINVAL, "multizone range");
    return at.isolate;
  },
  isolate: (_k, f) =>
    f.call(startIsolatePageRange, at.isolated, f.get(v.first), f.get(v.pages), ISOLATE.OFFLINE),
  isolated: (k, f) => {
    if (f.result !== 0) return fail(k, f, f.result, "failure to isolate range");
    return f.call(notifyGoingOffline, at.notified, f.get(v.block));
  },
  notified: (k, f) => (f.result < 0 ? failIsolated(k, f, f.result, "notifier failure") : at.migrate),
  migrate: (k, f) => {
    if (k.blocks.signalFor(f.task)) {
      k.blocks.signal(-1);
      return failIsolated(k, f, ERRNO.EINTR, "signal backoff");
    }
    f.set(v.freeBefore, k.zones.sum(k.zones.free));
    return f.call(migrateRange, at.migrated, f.get(v.first), f.get(v.pages));
  },
  migrated: (k, f) => {
    if (f.result === ERRNO.EBUSY) return failIsolated(k, f, ERRNO.EBUSY, "unmovable page");
    return f.result === 0 ? at.test : at.stuck;
  },
  // Nowhere to move to, or a page under way: the kernel tries again for ever. Here it waits until pages of
  // the range became free, or memory elsewhere was freed or taken.
  stuck: (k, f) => {
    const moved = k.zones.sum(k.zones.free) !== f.get(v.freeBefore);
    if (moved || k.blocks.signalFor(f.task)) return at.migrate;
    return testPagesIsolated(k, f.get(v.first), f.get(v.pages)) ? finish(k, f) : BLOCKED;
  },
  test: (k, f) => {
    if (testPagesIsolated(k, f.get(v.first), f.get(v.pages))) return finish(k, f);
    f.set(v.freeBefore, k.zones.sum(k.zones.free));
    return at.stuck;
  },
});
