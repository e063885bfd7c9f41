import { SEPT_MAPPED, SEPT_NL_MAPPED, SEPT_STATES } from "../abi/tdx/sept-entry.ts";
import { getBit } from "../flat/bitmap.ts";
import type { Kernel } from "../linux/kernel.ts";
import { NIL, orderOf, USE, type Use, useOf } from "../linux/mem-map.ts";
import type { GuestPages } from "./guest-platform.ts";

const UNIT = 2 ** 21;
const PAGES = 512;

/** Whether hardware lets the guest use all, some or none of a 2 MiB unit. */
export const ACCEPTED = { NONE: 0, SOME: 1, ALL: 2 } as const;

/** Unit numbers count 2 MiB from address 0. @returns a value of ACCEPTED */
export const acceptedOf = (td: GuestPages, unit: number): number => {
  const { sept } = td;
  sept.walk((unit << 21) >>> 0, Math.floor(unit / 2048), 1);
  const state = sept.stateHere;
  if (state === SEPT_MAPPED) return ACCEPTED.ALL;
  if (sept.level !== 1 || state !== SEPT_NL_MAPPED) return ACCEPTED.NONE;
  const mapped = sept.mappedCount[sept.tableHere]!;
  return mapped === PAGES ? ACCEPTED.ALL : mapped === 0 ? ACCEPTED.NONE : ACCEPTED.SOME;
};

/** Whether the guest may use the 4 KiB page at `gpa`. */
export const isAcceptedPage = (td: GuestPages, gpa: number): boolean => {
  td.sept.walk(gpa >>> 0, Math.floor(gpa / 2 ** 32), 0);
  return td.sept.stateHere === SEPT_MAPPED;
};

/** By state: its name if it is that of a leaf. Below a table that stops the walk no entry is. */
const LEAF_NAMES: readonly string[] = SEPT_STATES.map((name) => (name.startsWith("NL_") ? "FREE" : name));

/** Name of the state of the leaf that covers `gpa`; FREE where no entry is. */
export const septStateName = (td: GuestPages, gpa: number): string => {
  td.sept.walk(gpa >>> 0, Math.floor(gpa / 2 ** 32), 0);
  return LEAF_NAMES[td.sept.stateHere] ?? "FREE";
};

/** The kernel's bit for a unit; -1 outside the window or without that bitmap. */
export const unacceptedBit = (k: Kernel | undefined, unit: number): number => bitOf(k, unit, false);
export const pluggedBit = (k: Kernel | undefined, unit: number): number => bitOf(k, unit, true);

/** Whether a design is about to give the unit back: its bit follows hardware, and nobody goes by either. */
export const isLeaving = ({ table, accepting }: Kernel, unit: number): boolean =>
  table !== undefined && accepting.isLeaving(unit - table.physBase / table.unitSize);

const bitOf = (k: Kernel | undefined, unit: number, plugged: boolean): number => {
  const table = k?.table;
  const bits = plugged ? table?.plugged : table?.unaccepted;
  if (table === undefined || bits === undefined) return -1;
  const bit = unit - table.physBase / table.unitSize;
  return 0 <= bit && bit < table.units ? Number(getBit(bits, bit)) : -1;
};

/** Pages that somebody may read or write at any time: what the allocator holds or gave out, and memmap. */
export const IN_USE: ReadonlySet<Use> = new Set<Use>([USE.FREE, USE.ALLOCATED, USE.MOVABLE, USE.MEMMAP]);

const usedNow = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) usedNow[byte] = IN_USE.has(useOf(byte)) ? 1 : 0;

/** Whether a use byte is one of IN_USE. */
export const isUsed = (byte: number): boolean => usedNow[byte] === 1;

/**
 * Looks at the pages of a unit until one satisfies the test.
 *
 * @param test is asked for the first page of each block of equal use, by its use byte and frame number
 */
export const somePage = (k: Kernel, unit: number, test: (byte: number, pfn: number) => boolean): boolean => {
  const { mm, geometry } = k;
  const pages = UNIT / geometry.pageSize;
  const first = unit * pages;
  const base = mm.indexOf(first);
  if (base === NIL) return false;
  for (let page = 0; page < pages; ) {
    const byte = mm.use[base + page]!;
    if (test(byte, first + page)) return true;
    const order = orderOf(byte);
    page += order === 0 ? 1 : (1 << order) - (page % (1 << order));
  }
  return false;
};

/** Bit of a use in the answer of usesOf(). */
export const useBit = (use: Use): number => 1 << (use >> 4);

/** Bits of the uses in IN_USE. */
export const IN_USE_BITS: number = [...IN_USE].reduce<number>((bits, use) => bits | useBit(use), 0);

/** Uses of the pages [from, to) by index, as bits; both are multiples of four. Runs of equal bytes cost a compare a word. */
const usesBetween = (words: Uint32Array, from: number, to: number): number => {
  let bits = 0;
  const end = to >> 2;
  for (let at = from >> 2; at < end; ) {
    const word = words[at++]!;
    while (at < end && words[at] === word) at++;
    bits |= (1 << ((word >>> 4) & 15)) | (1 << ((word >>> 12) & 15));
    bits |= (1 << ((word >>> 20) & 15)) | (1 << (word >>> 28));
  }
  return bits;
};

const usesOfUnit = ({ mm, geometry }: Kernel, unit: number): number => {
  const pages = UNIT / geometry.pageSize;
  const index = mm.indexOf(unit * pages);
  if (index === NIL) return 0;
  const byte = mm.use[index]!;
  // A block that fills the unit has one use.
  return 1 << orderOf(byte) >= pages ? 1 << (byte >> 4) : usesBetween(mm.useWords, index, index + pages);
};

/** Answers of usesOf() for a few units, good while the memmap does not change. */
const CACHED = 8;

/**
 * Which uses the pages of a unit have, remembered while the memmap stays as it is: a run of page-sized
 * steps over one unit looks at its pages once.
 */
export class UnitUses {
  private readonly units = new Float64Array(CACHED).fill(-1);
  /** Version of the memmap that the answer is about. */
  private readonly versions = new Float64Array(CACHED);
  private readonly bits = new Int32Array(CACHED);

  views(): ArrayBufferView[] {
    return [this.units, this.versions, this.bits];
  }

  /** Another memmap. */
  clear(): void {
    this.units.fill(-1);
  }

  /** One bit a use, as useBit() gives it; 0 where there is no memmap. */
  of(k: Kernel, unit: number): number {
    const slot = unit & (CACHED - 1);
    if (this.units[slot] === unit && this.versions[slot] === k.mm.version) return this.bits[slot]!;
    this.units[slot] = unit;
    this.versions[slot] = k.mm.version;
    this.bits[slot] = usesOfUnit(k, unit);
    return this.bits[slot]!;
  }
}
