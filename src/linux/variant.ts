/**
 * What differs between the kernels modelled, one row a behaviour.
 *
 * @source Linux 6.12.117 and 7.3.4, files named per row
 */
export interface Variant {
  readonly name: "6.12" | "7.3";
  /** accept_memory() and the contains-check widen their range to whole pages (unaccepted_memory.c). */
  readonly pageAlignsRanges: boolean;
  /** The unaccepted table is added to memory, so that a kernel with memory of its own can map it (efi.c). */
  readonly mapsTable: boolean;
  /** Readers of /proc/vmcore ask whether a page is unaccepted (unaccepted_memory.c). */
  readonly readersAskForUnaccepted: boolean;
  /** #VE is told the address that faulted, so that load_unaligned_zeropad() is fixed up (traps.c, ve_raise_fault). */
  readonly fixesUpVe: boolean;
  /** Shared memory becomes private, and is accepted, before its mapping becomes private (coco/tdx/tdx.c). */
  readonly convertsBeforeMapping: boolean;
  /** What is still shared becomes private before another kernel starts (coco/tdx/tdx.c). */
  readonly unsharesAtKexec: boolean;
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
  /** accept_memory() lets go of its lock while the platform accepts (unaccepted_memory.c). */
  readonly acceptsOutsideLock: boolean;
  /** Interrupts stay off while the platform accepts, too (unaccepted_memory.c). */
  readonly irqsOffWhileAccepting: boolean;
  /** Ranges in acceptance that only touch do not wait for one another (unaccepted_memory.c). */
  readonly comparesRangesExactly: boolean;
  /** accept_memory() ends with a touch of the soft-lockup watchdog (unaccepted_memory.c). */
  readonly touchesWatchdog: boolean;
  /** Memblock accepts what it takes for a longer array of its own (memblock.c, memblock_double_array). */
  readonly acceptsDoubledArray: boolean;
  /** An allocation accepts a chunk while the watermarks are still 0 (page_alloc.c, cond_accept_memory). */
  readonly acceptsWithoutWatermarks: boolean;
  /** A static key counts zones with unaccepted memory, and nothing is accepted while it is 0 (page_alloc.c). */
  readonly countsZonesByKey: boolean;
  /** Isolating a pageblock accepts the chunk that it heads (page_isolation.c). */
  readonly isolationAccepts: boolean;
  /** The unaccepted table is reserved to its last byte, wherever in a page it starts (efi.c). */
  readonly reservesWholeTable: boolean;
  /** The SNP hotplug series rescinds memory before it is removed; it is in no released kernel. */
  readonly rescindsAtRemoval: boolean;
  /** Words of the e820 printout (e820.c). */
  readonly e820Wording: "6.12" | "7.3";
  /** Release of ACPICA, which its warnings name (include/acpi/acpixf.h). */
  readonly acpica: string;
}

export const VARIANTS: Readonly<Record<Variant["name"], Variant>> = {
  "6.12": {
    name: "6.12",
    pageAlignsRanges: false,
    mapsTable: true,
    readersAskForUnaccepted: true,
    fixesUpVe: true,
    convertsBeforeMapping: true,
    unsharesAtKexec: true,
    kexecAcceptsSegments: false,
    noLockSkipsAccept: false,
    prepareOnlineNotifier: true,
    reducesUnnecessaryVe: false,
    newerStatistics: false,
    acceptsOutsideLock: true,
    irqsOffWhileAccepting: true,
    comparesRangesExactly: true,
    touchesWatchdog: true,
    acceptsDoubledArray: true,
    acceptsWithoutWatermarks: true,
    countsZonesByKey: false,
    isolationAccepts: true,
    reservesWholeTable: true,
    rescindsAtRemoval: true,
    e820Wording: "6.12",
    acpica: "20240827",
  },
  "7.3": {
    name: "7.3",
    pageAlignsRanges: true,
    mapsTable: true,
    readersAskForUnaccepted: true,
    fixesUpVe: true,
    convertsBeforeMapping: true,
    unsharesAtKexec: true,
    kexecAcceptsSegments: true,
    noLockSkipsAccept: true,
    prepareOnlineNotifier: false,
    reducesUnnecessaryVe: true,
    newerStatistics: true,
    acceptsOutsideLock: true,
    irqsOffWhileAccepting: true,
    comparesRangesExactly: true,
    touchesWatchdog: true,
    acceptsDoubledArray: true,
    acceptsWithoutWatermarks: true,
    countsZonesByKey: false,
    isolationAccepts: true,
    reservesWholeTable: true,
    rescindsAtRemoval: true,
    e820Wording: "7.3",
    acpica: "20260408",
  },
};

/**
 * Fixes that a kernel can be made to lack, by the number of their bug in docs/bugs.md.
 *
 * @source Linux commits 50e782a86c98 (B1), c0461bd16666 (B2), 1c5a1627f481 (B4), 8dbe33956d96 (B5), 800f1059c99e (B8), fefc07518227 (B9), 88002581da9e (B10), da8bf5daa5e5 (B11), 0862438c9048 (B13),
 *   948a013a54c4 (B14), 9f9116406120 (B15), the isolation part of the series of August 2024 (B21), kexec of TDs in 6.11 (B17); B3, B6, B12 and B16 by
 *   their descriptions; B29 by the review of "SEV-SNP Unaccepted Memory Hotplug", whose design is the only one that it touches
 */
const FIXES = {
  B1: { acceptsOutsideLock: false },
  B2: { comparesRangesExactly: false },
  B3: { irqsOffWhileAccepting: false },
  B4: { touchesWatchdog: false },
  B5: { mapsTable: false },
  B6: { readersAskForUnaccepted: false },
  B8: { acceptsWithoutWatermarks: false },
  B9: { countsZonesByKey: true },
  B10: { noLockSkipsAccept: false },
  B11: { acceptsDoubledArray: false },
  B12: { kexecAcceptsSegments: false },
  B13: { reservesWholeTable: false },
  B14: { pageAlignsRanges: false },
  B15: { fixesUpVe: false },
  B16: { convertsBeforeMapping: false },
  B17: { unsharesAtKexec: false },
  B21: { isolationAccepts: false },
  B29: { rescindsAtRemoval: false },
} as const satisfies Record<string, Partial<Variant>>;
export type Fix = keyof typeof FIXES;

export const FIX_NAMES = Object.keys(FIXES) as readonly Fix[];

/** The kernel without these fixes. */
export const withoutFixes = (variant: Variant, fixes: readonly Fix[]): Variant =>
  Object.assign({}, variant, ...fixes.map((fix) => FIXES[fix]));
