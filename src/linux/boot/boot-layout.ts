import { EARLY_ALLOCATIONS, type EarlyAllocation } from "./early-allocations.ts";

/** Half-open range of guest-physical bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A range that must not be given to the allocator, and who has it ("kernel", "initrd", "ACPI tables"). */
export interface Reservation extends ByteRange {
  readonly what: string;
}

/** Memory of one node, as the SRAT says. */
export interface NodeRange extends ByteRange {
  readonly node: number;
}

/** What the kernel finds when it starts: the input of bootMemory(). Nothing here changes. */
export interface BootLayout {
  /** What e820 lists as RAM, ascending, disjoint. */
  readonly ram: readonly ByteRange[];
  /** Taken before memblock gives out anything. The unaccepted table adds its own region. */
  readonly reservations: readonly Reservation[];
  /** SRAT memory affinity of memory present at boot. RAM that no range covers belongs to node 0. */
  readonly affinity: readonly NodeRange[];
  /** CONFIG_DEFERRED_STRUCT_PAGE_INIT: most memory enters the allocator late, in parallel. */
  readonly deferredInit: boolean;
  /** Transparent huge pages enabled: khugepaged raises min_free_kbytes. */
  readonly hugePages: boolean;
  /** What the kernel allocates from memblock for itself. */
  readonly early: readonly EarlyAllocation[];
  /** Pages allocated one by one while each further vCPU comes up, before watermarks exist. */
  readonly bringUpPages: number;
  /** This kernel runs after another one crashed, in memory that was kept for it. */
  readonly inKdump: boolean;
  /** RAM of the kernel that crashed, as the ELF headers that it left list it. */
  readonly oldMemory: readonly ByteRange[];
}

/**
 * Page allocations that bring up one vCPU.
 *
 * @source inference from a report of 248 vCPUs that accepted some 13 GiB meanwhile, 4 MiB each (dstack #1220)
 */
export const BRING_UP_PAGES = 13;

/** A layout with the usual choices of a distribution's kernel. */
export const bootLayout = (
  ram: readonly ByteRange[],
  rest: Partial<Omit<BootLayout, "ram">> = {},
): BootLayout => ({
  ram,
  reservations: [],
  affinity: [],
  deferredInit: true,
  hugePages: true,
  early: EARLY_ALLOCATIONS,
  bringUpPages: BRING_UP_PAGES,
  inKdump: false,
  oldMemory: [],
  ...rest,
});
