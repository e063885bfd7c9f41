import type { Kernel } from "../kernel.ts";

/** Pages as kilobytes. */
export const kilobytes = (k: Kernel, pages: number): number => (pages * k.geometry.pageSize) / 1024;

/** "MemTotal:        1901484 kB": the label padded to 16 columns, the number to 8. */
export const valueLine = (label: string, kB: number): string =>
  `${`${label}:`.padEnd(16)}${String(kB).padStart(8)} kB`;

/**
 * si_mem_available(), pages: what could be allocated without swapping. Free pages less the reserve; there is
 * no page cache and no slab here that could be reclaimed.
 *
 * @source Linux mm/show_mem.c
 */
export const memAvailable = (k: Kernel): number =>
  Math.max(0, k.zones.sum(k.zones.free) - k.zones.totalReserve);

/** Pages of free blocks of at least a pageblock, of one zone: NR_FREE_PAGES_BLOCKS. */
export const freeInWholeBlocks = (k: Kernel, zone: number): number => {
  let pages = 0;
  for (let order = k.geometry.pageblockOrder; order <= k.geometry.maxOrder; order++) {
    pages += k.zones.length[k.zones.freeList(zone, order, false)]! * (1 << order);
  }
  return pages;
};
