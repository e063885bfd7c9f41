/**
 * QEMU's register block for memory slots. A write to byte 0 selects a slot; everything else means that slot.
 * Accesses are 1 to 4 bytes wide.
 *
 * @source QEMU docs/specs/acpi_mem_hotplug.rst, hw/acpi/memory_hotplug.c
 */
export const MEMORY_HOTPLUG_PORT = 0x0a00;
export const MEMORY_HOTPLUG_BYTES = 24;

/** Offsets of what a read gives; 32 bits each but `flags`, which has 8. */
export const MEMORY_HOTPLUG_READ = {
  addressLow: 0x00,
  addressHigh: 0x04,
  sizeLow: 0x08,
  sizeHigh: 0x0c,
  proximity: 0x10,
  flags: 0x14,
} as const;

/** Offsets of what a write does; offsets 0x0c and 0x10 ignore writes. */
export const MEMORY_HOTPLUG_WRITE = { slot: 0x00, ostEvent: 0x04, ostStatus: 0x08, control: 0x14 } as const;

/** Bits of `flags`. */
export const MEMORY_SLOT_FLAG = { ENABLED: 1 << 0, INSERT_EVENT: 1 << 1, REMOVE_EVENT: 1 << 2 } as const;
/** Bits of `control`. Only the first of these that is set counts. */
export const MEMORY_SLOT_CONTROL = { CLEAR_INSERT: 1 << 1, CLEAR_REMOVE: 1 << 2, EJECT: 1 << 3 } as const;
