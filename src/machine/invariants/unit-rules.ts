import type { Kernel } from "../../linux/kernel.ts";
import { NIL, orderOf, USE, useOf } from "../../linux/mem-map.ts";
import {
  ACCEPTED,
  acceptedOf,
  IN_USE_BITS,
  isAcceptedPage,
  isLeaving,
  isUsed,
  pluggedBit,
  somePage,
  type UnitUses,
  unacceptedBit,
  useBit,
} from "../facts.ts";
import type { GuestPages } from "../guest-platform.ts";
import type { InvariantId } from "./table.ts";

/** What the rules look at. */
export interface Facts {
  readonly td: GuestPages;
  readonly kernel: Kernel;
  readonly uses: UnitUses;
  /** Whether the VMM has given every byte of a unit (2 MiB, counted from address 0) to the guest. */
  pluggedAt(unit: number): boolean;
}

/** Looks at one unit; answers why the rule is broken there, or nothing. */
export type UnitRule = (facts: Facts, unit: number) => string | undefined;

const UNIT = 2 ** 21;

/** First of `pages` pages from `pfn` that is neither accepted nor shared by the kernel; -1 if none is. */
const firstUnaccepted = (td: GuestPages, kernel: Kernel, pfn: number, pages: number): number => {
  const { pageSize } = kernel.geometry;
  const end = (pfn + pages) * pageSize;
  for (let page = pfn; page < pfn + pages; ) {
    const gpa = page * pageSize;
    const accepted = isAcceptedPage(td, gpa);
    if (!accepted && !kernel.shared.has(gpa)) return page;
    page = accepted ? Math.max(page + 1, Math.floor(td.sept.endOfState(gpa, end) / pageSize)) : page + 1;
  }
  return -1;
};

/**
 * A unit whose bit is clear is accepted, if the VMM and, where it keeps a second bitmap, the kernel have it plugged. A
 * release changes hardware first and the bit after it (I6): meanwhile the unit is on the list of those that leave. What
 * the kernel shares is not private on purpose.
 */
const i8: UnitRule = (facts, unit) => {
  const { td, kernel } = facts;
  if (unacceptedBit(kernel, unit) !== 0 || pluggedBit(kernel, unit) === 0) return undefined;
  if (acceptedOf(td, unit) === ACCEPTED.ALL || !facts.pluggedAt(unit)) return undefined;
  if (isLeaving(kernel, unit)) return undefined;
  const pages = UNIT / kernel.geometry.pageSize;
  if (firstUnaccepted(td, kernel, unit * pages, pages) === -1) return undefined;
  return "the kernel's bit says accepted, hardware says it is not";
};

/** A word read at the end of a unit in use runs into the next one, if that is in the direct map. */
const i10: UnitRule = ({ td, kernel, uses }, unit) => {
  if ((uses.of(kernel, unit) & IN_USE_BITS) === 0) return undefined;
  const { geometry, mm } = kernel;
  const above = (unit + 1) * (UNIT / geometry.pageSize);
  if (!mm.isMapped(above) || isAcceptedPage(td, (unit + 1) * UNIT)) return undefined;
  // What reaches shared memory meets a #VE that is fixed up.
  if (kernel.shared.has((unit + 1) * UNIT)) return undefined;
  const last = mm.indexOf(above - 1);
  if (last === -1 || !isUsed(mm.use[last]!)) return undefined;
  return "the unit is in use, and the one above it is mapped but not accepted";
};

/** Whether some page of the unit whose use is in the group is not accepted. */
const someUnaccepted = (td: GuestPages, kernel: Kernel, unit: number, group: number): boolean => {
  const { mm, geometry } = kernel;
  const pages = UNIT / geometry.pageSize;
  const base = mm.indexOf(unit * pages);
  if (base === NIL) return false;
  for (let index = base; index < base + pages; ) {
    const end = Math.min(mm.endOfUse(index, base + pages), base + pages);
    const asked = ((1 << (mm.use[index]! >> 4)) & group) !== 0;
    if (asked && firstUnaccepted(td, kernel, unit * pages + index - base, end - index) !== -1) return true;
    index = end;
  }
  return false;
};

/**
 * A rule about the pages of one group of uses, given as bits: all of them are accepted. What is asked of every
 * unit makes no closure; that waits until something looks wrong.
 */
const acceptedUse = (what: string, group: number): UnitRule => {
  const why = `${what} of the unit are not accepted`;
  return ({ td, kernel, uses }, unit) => {
    if ((uses.of(kernel, unit) & group) === 0) return undefined;
    const accepted = acceptedOf(td, unit);
    if (accepted === ACCEPTED.ALL) return undefined;
    const none = accepted === ACCEPTED.NONE && kernel.shared.count === 0;
    return none || someUnaccepted(td, kernel, unit, group) ? why : undefined;
  };
};

const i21 = acceptedUse("free or allocated pages", IN_USE_BITS & ~useBit(USE.MEMMAP));
const i22 = acceptedUse("pages that boot code reserved", useBit(USE.RESERVED));
const i28 = acceptedUse("memmap pages", useBit(USE.MEMMAP));

/** Whether a block smaller than the largest order has the use UNACCEPTED in the unit. */
const someSmallChunk = (kernel: Kernel, unit: number): boolean => {
  const { maxOrder } = kernel.geometry;
  return somePage(kernel, unit, (byte) => useOf(byte) === USE.UNACCEPTED && orderOf(byte) !== maxOrder);
};

const i26: UnitRule = ({ kernel, uses }, unit) =>
  (uses.of(kernel, unit) & useBit(USE.UNACCEPTED)) !== 0 && someSmallChunk(kernel, unit)
    ? "a block smaller than the largest order is on the unaccepted list"
    : undefined;

interface Rule {
  readonly id: InvariantId;
  readonly broken: UnitRule;
  /** Whose change can break it: hardware, the kernel's bits or the VMM's plugged truth, page use. */
  readonly hardware: boolean;
  readonly bits: boolean;
  readonly use: boolean;
}

/** Rules that speak of one unit and perhaps the one above it, by number. */
export const UNIT_RULES: readonly Rule[] = [
  { id: "I8", broken: i8, hardware: true, bits: true, use: false },
  { id: "I10", broken: i10, hardware: true, bits: false, use: true },
  { id: "I21", broken: i21, hardware: true, bits: false, use: true },
  { id: "I22", broken: i22, hardware: true, bits: false, use: true },
  { id: "I26", broken: i26, hardware: false, bits: false, use: true },
  { id: "I28", broken: i28, hardware: true, bits: false, use: true },
];

const UNACCEPTED_BIT = useBit(USE.UNACCEPTED);
/** Uses of pages that have to be accepted. */
const NEEDS_ACCEPTED = IN_USE_BITS | useBit(USE.RESERVED);

/** Whether the unit lies in one chunk of the largest order, as what is deferred has to. */
const inLargestChunk = ({ mm, geometry }: Kernel, unit: number): boolean =>
  orderOf(mm.use[mm.indexOf(unit * geometry.pagesPerUnit)]!) === geometry.maxOrder;

/**
 * One look that finds most units in order: accepted whole, as is the one above it, or not at all, and nobody uses
 * it. Where it answers true no rule of UNIT_RULES is broken; false says nothing.
 */
export const isSound = ({ td, kernel, uses }: Facts, unit: number): boolean => {
  const used = uses.of(kernel, unit);
  if ((used & UNACCEPTED_BIT) !== 0 && !inLargestChunk(kernel, unit)) return false;
  const accepted = acceptedOf(td, unit);
  if (accepted === ACCEPTED.ALL)
    return (used & IN_USE_BITS) === 0 || acceptedOf(td, unit + 1) === ACCEPTED.ALL;
  if (accepted === ACCEPTED.SOME || (used & NEEDS_ACCEPTED) !== 0) return false;
  return unacceptedBit(kernel, unit) !== 0;
};
