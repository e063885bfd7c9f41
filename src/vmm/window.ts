import { type Gpa, gpa, roundUp } from "../units.ts";
import type { GpaRange } from "./layout.ts";
import { demand, hex } from "./vmm-error.ts";

/** A memory device that has its place. */
export interface Taken {
  readonly id: string;
  readonly start: number;
  readonly size: number;
}

export interface Wanted {
  readonly id: string;
  readonly size: number;
  /** Bytes; a chosen address is a multiple of it, a given one must be. */
  readonly align: number;
  /** 0: choose. */
  readonly hint: number;
}

/**
 * Address of a new memory device in the device-memory window: the one asked for, else the first gap in
 * address order that takes it.
 *
 * @throws VmmError without a window, for an address that is misaligned, outside or taken, or when no gap fits
 * @source QEMU hw/mem/memory-device.c (memory_device_get_free_addr)
 */
export const placeInWindow = (window: GpaRange | undefined, taken: readonly Taken[], wanted: Wanted): Gpa => {
  const { id, size, align, hint } = wanted;
  demand(window !== undefined, "maxmem", `more than the boot memory, for ${id}`, "no device memory");
  const end = window.start + window.size;
  const what = `${id} address`;
  if (hint !== 0) {
    demand(hint % align === 0, what, `a multiple of ${hex(align)}`, hex(hint));
    demand(
      window.start <= hint && hint + size <= end,
      what,
      `a range inside ${hex(window.start)} to ${hex(end)}`,
      `${hex(hint)}+${hex(size)}`,
    );
  }
  let start = hint === 0 ? roundUp(window.start, align) : hint;
  for (const other of [...taken].sort((a, b) => a.start - b.start)) {
    if (other.start >= start + size || other.start + other.size <= start) continue;
    demand(hint === 0, what, `a free range, not that of ${other.id}`, `${hex(hint)}+${hex(size)}`);
    start = roundUp(other.start + other.size, align);
  }
  demand(start + size <= end, what, `a gap of ${hex(size)} in the device memory`, "none");
  return gpa(start);
};
