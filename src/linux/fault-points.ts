import type { Kernel } from "./kernel.ts";

/**
 * Places where the kernel itself lets a failure be injected, or where an allocation behind them may fail.
 *
 * @source Linux mm/fail_page_alloc.c; mm/memory_hotplug.c; mm/memblock.c; drivers/base/memory.c, memory_notify; mm/page_ext.c
 */
export const FAULT_POINT = {
  /** An allocation from the buddy lists, whoever asks. */
  alloc_pages: 0,
  alloc_contig_range: 1,
  register_memory_resource: 2,
  arch_add_memory: 3,
  create_memory_block_devices: 4,
  /** A listener of the memory notifier chain that comes after all others. */
  MEM_GOING_ONLINE: 5,
  MEM_GOING_OFFLINE: 6,
  /** An allocation before there are buddy lists. */
  memblock_alloc: 7,
  /** The count of zones with unaccepted memory, in kernels that count them by a static key. They cannot fail. */
  static_branch_inc: 8,
  static_branch_dec: 9,
} as const;
export type FaultPoint = keyof typeof FAULT_POINT;

/** What makes points of the kernel fail. */
export interface GuestFaults {
  /** @returns 0, or the negative errno that the point has to answer */
  at(point: number): number;
}

/** What a point has to answer instead of going on: 0 to go on, or a negative errno. */
export const faultAt = (k: Kernel, point: FaultPoint): number => k.faults?.at(FAULT_POINT[point]) ?? 0;
