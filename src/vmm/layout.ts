import { GIB, type Gpa, gpa, PAGE_SIZE, roundUp } from "../units.ts";
import { demand, hex } from "./vmm-error.ts";

/** A half-open range of guest-physical bytes: [start, start + size). */
export interface GpaRange {
  readonly start: Gpa;
  readonly size: number;
}

/** Where guest memory lies. Everything the firmware tables, the devices and the VMM agree on. */
export interface GuestLayout {
  /** Boot memory, ascending, disjoint, with nothing between two neighbours that touch. */
  readonly ram: readonly GpaRange[];
  /** Window in which DIMMs and virtio-mem regions lie; absent without maxmem. Not in the e820. */
  readonly deviceMemory: GpaRange | undefined;
  /** Exclusive end that firmware keeps its 64-bit PCI window above (fw_cfg etc/reserved-memory-end). */
  readonly reservedMemoryEnd: Gpa | undefined;
  /** Bytes of boot memory. */
  readonly memory: number;
  /** Bytes of memory the machine may ever have. */
  readonly maxmem: number;
  /** DIMM slots. virtio-mem uses none. */
  readonly slots: number;
}

/** Options of the q35 machine that move memory, as `-m memory,slots=slots,maxmem=maxmem`. */
export interface Q35Options {
  readonly memory: number;
  readonly slots?: number;
  /** Default: memory, which leaves no room for memory devices. */
  readonly maxmem?: number;
  readonly maxRamBelow4g?: number;
  /** Where the RAM that does not fit below 4 GiB starts. An AMD host above 1 TiB moves it. */
  readonly above4gStart?: number;
  /** First guest-physical address the guest cannot use as private memory. */
  readonly addressLimit?: number;
}

export const MAX_SLOTS = 256;

/** A q35 machine keeps RAM below this free of the PCI window, unless it has that much RAM or more. */
const Q35_LOW_MEMORY_ALL = 0xb000_0000;
const Q35_LOW_MEMORY_SPLIT = 0x8000_0000;
/** Slack for each slot, so that every DIMM can start at a multiple of 1 GiB. */
const SLOT_SLACK = GIB;
const FOUR_GIB = 4 * GIB;
/** Private addresses of a TD with a 52-bit guest-physical width. */
const WIDEST_ADDRESS_LIMIT = 2 ** 51;

/**
 * Layout of QEMU's q35 machine.
 *
 * @throws VmmError for more than 256 slots, maxmem below memory, sizes that are not whole pages, a layout
 *   that passes the address limit
 * @source QEMU hw/i386/pc_q35.c, hw/i386/pc.c (pc_memory_init)
 * @missing a CXL window, SGX memory
 */
export const q35Layout = (options: Q35Options): GuestLayout => {
  const { memory, slots = 0, maxmem = memory, above4gStart = FOUR_GIB } = options;
  checkSizes(memory, slots, maxmem);
  const below = Math.min(memory, lowMemory(memory, options.maxRamBelow4g ?? FOUR_GIB));
  const above = memory - below;
  const limit = options.addressLimit ?? WIDEST_ADDRESS_LIMIT;
  checkLimit(above4gStart + above, limit);
  const ram: GpaRange[] = [{ start: gpa(0), size: below }];
  if (above > 0) ram.push({ start: gpa(above4gStart), size: above });
  const window = maxmem - memory + slots * SLOT_SLACK;
  if (maxmem === memory) {
    return { ram, deviceMemory: undefined, reservedMemoryEnd: undefined, memory, maxmem, slots };
  }
  const base = roundUp(above4gStart + above, GIB);
  checkLimit(base + window, limit);
  return {
    ram,
    deviceMemory: { start: gpa(base), size: window },
    reservedMemoryEnd: gpa(roundUp(base + window, GIB)),
    memory,
    maxmem,
    slots,
  };
};

/** Ranges of a machine that is not a q35. */
export interface ExplicitLayout {
  readonly ram: readonly { readonly start: number; readonly size: number }[];
  readonly deviceMemory?: { readonly start: number; readonly size: number };
  readonly slots?: number;
  /** Default: all of the device memory may be used. */
  readonly maxmem?: number;
  readonly addressLimit?: number;
}

/**
 * Layout given range by range, for machines with holes or without memory below 4 GiB.
 *
 * @throws VmmError for ranges that overlap, are empty, or are not whole pages
 */
export const explicitLayout = (options: ExplicitLayout): GuestLayout => {
  const limit = options.addressLimit ?? WIDEST_ADDRESS_LIMIT;
  const window = options.deviceMemory;
  const ascending = [...options.ram].sort((a, b) => a.start - b.start);
  checkRanges(window === undefined ? ascending : [...ascending, window], limit);
  const ram: GpaRange[] = [];
  for (const { start, size } of ascending) {
    const last = ram.at(-1);
    if (last !== undefined && last.start + last.size === start) {
      ram[ram.length - 1] = { start: last.start, size: last.size + size };
    } else ram.push({ start: gpa(start), size });
  }
  const memory = ram.reduce((sum, range) => sum + range.size, 0);
  const maxmem = options.maxmem ?? memory + (window?.size ?? 0);
  const slots = options.slots ?? 0;
  checkSizes(memory, slots, maxmem);
  return {
    ram,
    deviceMemory: window && { start: gpa(window.start), size: window.size },
    reservedMemoryEnd: window && gpa(roundUp(window.start + window.size, GIB)),
    memory,
    maxmem,
    slots,
  };
};

/** First address behind everything that is or may become RAM. */
export const layoutEnd = (layout: GuestLayout): number => {
  const ends = layout.ram.map((range) => range.start + range.size);
  if (layout.deviceMemory) ends.push(layout.deviceMemory.start + layout.deviceMemory.size);
  // The end of the highest memory there can be is no address itself.
  return Math.max(0, ...ends);
};

const lowMemory = (memory: number, most: number): number => {
  demand(
    wholePages(most) && 0 < most && most <= FOUR_GIB,
    "max-ram-below-4g",
    `whole pages, at most ${hex(FOUR_GIB)}`,
    hex(most),
  );
  return Math.min(memory >= Q35_LOW_MEMORY_ALL ? Q35_LOW_MEMORY_SPLIT : Q35_LOW_MEMORY_ALL, most);
};

const wholePages = (n: number): boolean => Number.isSafeInteger(n) && n % PAGE_SIZE === 0;

const checkSizes = (memory: number, slots: number, maxmem: number): void => {
  demand(wholePages(memory) && memory > 0, "memory", "a positive multiple of 0x1000", hex(memory));
  demand(
    Number.isInteger(slots) && 0 <= slots && slots <= MAX_SLOTS,
    "slots",
    `0 to ${MAX_SLOTS}`,
    String(slots),
  );
  demand(
    wholePages(maxmem) && maxmem >= memory,
    "maxmem",
    `a multiple of 0x1000, at least the memory of ${hex(memory)}`,
    hex(maxmem),
  );
};

const checkLimit = (end: number, limit: number): void =>
  demand(end <= limit, "memory layout", `an end up to ${hex(limit)}`, hex(end));

const checkRanges = (ranges: readonly { start: number; size: number }[], limit: number): void => {
  for (const { start, size } of ranges) {
    demand(
      wholePages(start) && start >= 0 && wholePages(size) && size > 0,
      "memory range",
      "whole 4 KiB pages, not empty",
      `${hex(start)}+${hex(size)}`,
    );
    checkLimit(start + size, limit);
  }
  for (const [index, a] of ranges.entries()) {
    for (const b of ranges.slice(index + 1)) {
      demand(
        a.start + a.size <= b.start || b.start + b.size <= a.start,
        "memory ranges",
        "no overlap",
        `${hex(a.start)}+${hex(a.size)} and ${hex(b.start)}+${hex(b.size)}`,
      );
    }
  }
};
