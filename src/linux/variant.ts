/**
 * What differs between the kernels modelled, one row a behaviour.
 *
 * @source Linux 6.12.117 and 7.3.4, files named per row
 */
export interface Variant {
  readonly name: "6.12" | "7.3";
  /** accept_memory() and the contains-check widen their range to whole pages (unaccepted_memory.c). */
  readonly pageAlignsRanges: boolean;
  /** kexec load accepts the destinations of its segments (kexec_core.c). */
  readonly kexecAcceptsSegments: boolean;
  /** Allocations that may not take locks never accept (page_alloc.c, cond_accept_memory). */
  readonly noLockSkipsAccept: boolean;
  /** MEM_PREPARE_ONLINE and MEM_FINISH_OFFLINE are sent around altmap set-up (memory_hotplug.c). */
  readonly prepareOnlineNotifier: boolean;
  /** A TD asks its module at boot for fewer #VE, or else for topology enumeration (coco/tdx/tdx.c). */
  readonly reducesUnnecessaryVe: boolean;
  /** meminfo has Balloon, GPUActive and GPUReclaim lines; vmstat has nr_free_pages_blocks and no nr_bounce. */
  readonly newerStatistics: boolean;
  /** Words of the e820 printout (e820.c). */
  readonly e820Wording: "6.12" | "7.3";
}

export const VARIANTS: Readonly<Record<Variant["name"], Variant>> = {
  "6.12": {
    name: "6.12",
    pageAlignsRanges: false,
    kexecAcceptsSegments: false,
    noLockSkipsAccept: false,
    prepareOnlineNotifier: true,
    reducesUnnecessaryVe: false,
    newerStatistics: false,
    e820Wording: "6.12",
  },
  "7.3": {
    name: "7.3",
    pageAlignsRanges: true,
    kexecAcceptsSegments: true,
    noLockSkipsAccept: true,
    prepareOnlineNotifier: false,
    reducesUnnecessaryVe: true,
    newerStatistics: true,
    e820Wording: "7.3",
  },
};
