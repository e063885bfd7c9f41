/**
 * The invariants, by the numbers that reports use. `step`: has to hold after every step. `rest`: has to hold
 * whenever nobody has anything left to do. How each is looked at is told by `checked`; what is `construction` no machine looks
 * at: the code allows nothing else, and tests of its part hold it.
 *
 * @source Linux drivers/firmware/efi/unaccepted_memory.c, mm/page_alloc.c, drivers/virtio/virtio_mem.c; TDX module
 *   ABI; the review of RFC v1 and v2 of "Support memory hotplug/unplug for TDX CoCo guests"
 */
export interface Invariant {
  readonly id: string;
  readonly when: "step" | "rest";
  readonly says: string;
  readonly checked: "events" | "units" | "rest" | "construction";
}

const rows = [
  ["I1", "step", "events", "the CPU reaches private memory only where it is plugged and accepted"],
  ["I2", "step", "events", "nothing is accepted that the VMM has not plugged"],
  ["I3", "step", "events", "nothing is accepted twice"],
  ["I4", "step", "events", "an accept succeeds completely or the machine stops"],
  ["I5", "step", "units", "an unaccepted bit is cleared only after hardware accepted the whole unit"],
  ["I6", "step", "units", "an unaccepted bit is set only after the release of the unit succeeded"],
  ["I7", "step", "events", "a unit is not accepted twice at once, nor accepted while it is released"],
  ["I8", "step", "units", "a plugged unit whose bit is clear is accepted in hardware"],
  ["I9", "step", "events", "a page read for the first time after its acceptance is zero"],
  ["I10", "step", "units", "the unit above a unit in use is accepted, or not mapped"],
  ["I11", "step", "events", "the guard of an accept touches no unplugged unit"],
  ["I12", "rest", "rest", "the window is whole units and bits past its real end are clear"],
  ["I13", "step", "units", "a version 1 bitmap only loses bits; version 2 gains them only on plugged units"],
  ["I14", "step", "units", "the plugged bit of boot memory is never cleared"],
  [
    "I15",
    "step",
    "units",
    "a plugged bit follows the VMM's word: set where it plugged, cleared where it unplugged",
  ],
  ["I16", "step", "units", "the pages that hold the bitmaps are accepted and reserved"],
  [
    "I17",
    "step",
    "construction",
    "the table's version is known, or boot stops before anything depends on it",
  ],
  ["I18", "rest", "rest", "with a plugged bitmap, nothing is plugged outside its window"],
  ["I19", "rest", "rest", "NR_UNACCEPTED is the pages of the chunks on the zone's list"],
  ["I20", "rest", "rest", "MemFree includes Unaccepted"],
  ["I21", "step", "units", "free and allocated pages are accepted"],
  ["I22", "step", "units", "memory that memblock hands out is accepted"],
  ["I23", "step", "construction", "accept is not called with a zone lock held"],
  ["I24", "step", "events", "an allocation leaves promo accepted free pages in a zone that lists chunks"],
  ["I25", "step", "rest", "accept_memory=eager keeps every list empty"],
  ["I26", "step", "units", "only whole chunks of the largest order are deferred"],
  ["I27", "step", "construction", "adding and removing memory is serialised by device_hotplug_lock"],
  ["I28", "step", "units", "memmap pages are accepted before they are written"],
  ["I29", "step", "construction", "virtio-mem lets a block go online only from a state that it knows"],
  ["I30", "step", "construction", "memory is removed only when all its blocks are offline"],
  ["I31", "step", "events", "only memory that Linux does not use is released"],
  ["I32", "step", "events", "memory is released before the request to unplug it reaches the VMM"],
  ["I33", "step", "units", "memory whose unplug failed is accepted again before it is used again"],
  ["I34", "rest", "rest", "the driver's sub-block bits are the device's plugged blocks"],
  ["I35", "step", "events", "a broken virtio-mem device sends no request"],
  [
    "I36",
    "step",
    "events",
    "nothing is plugged after a boot with plugged memory before UNPLUG_ALL succeeded",
  ],
  ["I37", "step", "events", "a kdump kernel neither plugs nor unplugs and reads only plugged blocks"],
  ["I38", "step", "events", "private mappings reach private memory and shared mappings shared memory"],
  ["I39", "step", "events", "with PAGE_RELEASE the host removes a private page only after its release"],
  ["I40", "step", "events", "no shared page remains at a kexec jump and both bitmaps tell hardware's truth"],
  ["I41", "step", "events", "the destination of a kexec segment is accepted before the copy"],
  [
    "I42",
    "step",
    "events",
    "driver-managed memory is neither a kexec destination nor boot RAM of the next kernel",
  ],
] as const;

export type InvariantId = (typeof rows)[number][0];

/** @missing I43 and I44, which speak of the TDX host's own memory */
export const INVARIANTS: readonly (Invariant & { readonly id: InvariantId })[] = rows.map(
  ([id, when, checked, says]) => ({ id, when, checked, says }),
);
