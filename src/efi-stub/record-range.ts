import type { PlatformAccept } from "./early-accept.ts";
import type { GuestBytes } from "./guest-bytes.ts";
import type { Halt, StubFault, WordRange } from "./stub-fault.ts";
import { type StubTable, setUnits } from "./stub-table.ts";

const word = (value: bigint): bigint => BigInt.asUintN(64, value);
const roundUp = (value: bigint, unit: bigint): bigint => word((word(value - 1n) | (unit - 1n)) + 1n);
const roundDown = (value: bigint, unit: bigint): bigint => value - (value % unit);
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** What is done on the way: accepted pieces, and what should not have come up. */
interface Recording {
  readonly accept: PlatformAccept;
  readonly faults: StubFault[];
}

/** Accepts the pieces of a range that are smaller than a unit, at its start and at its end. */
const acceptEdges = (range: WordRange, unit: bigint, accept: PlatformAccept): WordRange | Halt => {
  let { start, end } = range;
  if (start % unit !== 0n) {
    const halt = accept(start, roundUp(start, unit));
    if (halt) return halt;
    start = roundUp(start, unit);
  }
  if (end % unit !== 0n) {
    const halt = accept(roundDown(end, unit), end);
    if (halt) return halt;
    end = roundDown(end, unit);
  }
  return { start, end };
};

/** Offsets into the window of the part that lies inside it; what lies outside is accepted, as it has no bits. */
const clampToWindow = (
  range: WordRange,
  head: WordRange,
  table: StubTable,
  recording: Recording,
): WordRange | Halt | undefined => {
  const { physBase } = table;
  const { accept, faults } = recording;
  let { start, end } = range;
  if (start < physBase) {
    faults.push({ kind: "range-below-window", range, physBase });
    const halt = accept(start, smaller(physBase, end));
    if (halt) return halt;
    start = physBase;
  }
  // The comparison is strict: a range that ends at physBase goes on to set no bits.
  if (end < physBase) return undefined;
  start = word(start - physBase);
  end = word(end - physBase);
  const limit = word(table.size * 8n * table.unitSize);
  if (end > limit) {
    const windowEnd = word(limit + physBase);
    if (start > limit) {
      const twice = head.start < head.end ? head : undefined;
      faults.push({ kind: "range-above-window", range, windowEnd, twice });
    }
    const halt = accept(windowEnd, word(end + physBase));
    if (halt) return halt;
    end = limit;
  }
  return { start, end };
};

/**
 * Records one range of unaccepted memory in the bitmap. Pieces that have no whole unit or no bit are accepted now, in
 * this order: a range shorter than two units, the unaligned start, the unaligned end, what is below the window,
 * what is above it. In version 2 the range is marked plugged as well.
 *
 * All arithmetic is that of 64-bit words. What should not happen (see StubFault) does what the kernel's code does.
 *
 * @param faults receives what should not have happened
 * @returns why the machine stops, if it does
 * @source Linux drivers/firmware/efi/libstub/unaccepted_memory.c (process_unaccepted_memory)
 */
export const recordUnacceptedRange = (
  memory: GuestBytes,
  table: StubTable,
  range: WordRange,
  accept: PlatformAccept,
  faults: StubFault[],
): Halt | undefined => {
  // Deliberately imprecise: from here on one whole unit is left, whatever the alignment.
  if (word(range.end - range.start) < 2n * table.unitSize) return accept(range.start, range.end);
  const aligned = acceptEdges(range, table.unitSize, accept);
  if ("why" in aligned) return aligned;
  const head = { start: range.start, end: aligned.start };
  const inside = clampToWindow(aligned, head, table, { accept, faults });
  if (inside === undefined || "why" in inside) return inside;
  const bitmaps = table.version === 2 ? (["unaccepted", "plugged"] as const) : (["unaccepted"] as const);
  return setUnits(memory, table, bitmaps, inside.start, inside.end, faults);
};
