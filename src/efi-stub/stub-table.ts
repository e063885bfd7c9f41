import {
  UNACCEPTED_TABLE_HEADER,
  type UnacceptedTableVersion,
  unacceptedTableBytes,
} from "../abi/efi/unaccepted-table.ts";
import { setRange } from "../flat/bitmap.ts";
import type { GuestBytes } from "./guest-bytes.ts";
import { type Halt, haltOn, type StubFault, unbacked } from "./stub-fault.ts";

/** The unaccepted-memory table through the stub's eyes: 64-bit words of its header, and where its bitmaps lie. */
export interface StubTable {
  /** Guest-physical byte address of the table. */
  readonly at: number;
  readonly version: UnacceptedTableVersion;
  readonly unitSize: bigint;
  readonly physBase: bigint;
  /** Bytes of one bitmap. */
  readonly size: bigint;
}

type Bitmap = "unaccepted" | "plugged";

const bitmapAt = (table: StubTable, bitmap: Bitmap): number =>
  table.at + UNACCEPTED_TABLE_HEADER.size + (bitmap === "plugged" ? Number(table.size) : 0);

/** The bytes of the whole table; undefined if they are not all there. */
export const stubTableBytes = (memory: GuestBytes, table: StubTable): Uint8Array | undefined => {
  const { at, version, size } = table;
  return size < 2n ** 48n ? memory.bytes(at, unacceptedTableBytes(version, Number(size))) : undefined;
};

/** Reads the header of a table that is there already. Only its version has been looked at. */
export const openStubTable = (
  memory: GuestBytes,
  at: number,
  version: UnacceptedTableVersion,
): StubTable | Halt => {
  const bytes = memory.bytes(at, UNACCEPTED_TABLE_HEADER.size);
  if (bytes === undefined)
    return unbacked("unaccepted-memory table", BigInt(at), UNACCEPTED_TABLE_HEADER.size);
  const { unitSize, physBase, size } = UNACCEPTED_TABLE_HEADER.decode(bytes);
  if (unitSize === 0 || (unitSize & (unitSize - 1)) !== 0) {
    return haltOn("unaccepted-memory table: unit size", { kind: "bad-unit", unitSize });
  }
  return { at, version, unitSize: BigInt(unitSize), physBase, size };
};

const WORD_BITS = 64;

/**
 * Bits that the kernel's __bitmap_set touches for a negative number of bits: it skips its loop over whole words, and
 * the masks of first and last word, meant for different words, meet in one.
 *
 * @param first bit to start at
 * @param end first + count, which is below `first`
 */
const strayBits = (first: number, end: number): number[] => {
  const word = first - (first % WORD_BITS);
  const tail = ((end % WORD_BITS) + WORD_BITS) % WORD_BITS || WORD_BITS;
  const bits: number[] = [];
  for (let bit = first % WORD_BITS; bit < tail; bit++) bits.push(word + bit);
  return bits;
};

/** Sets stray bits where they fall, in the bitmap or behind it. */
const setStray = (
  memory: GuestBytes,
  table: StubTable,
  bitmap: Bitmap,
  bits: readonly number[],
  faults: StubFault[],
): Halt | undefined => {
  faults.push({ kind: "stray-bits", bitmap, bits });
  for (const bit of bits) {
    const at = bitmapAt(table, bitmap) + Math.floor(bit / 8);
    const byte = memory.bytes(at, 1);
    if (byte === undefined) return unbacked("unaccepted-memory bitmap", BigInt(at), 1);
    byte[0]! |= 1 << (bit % 8);
  }
  return undefined;
};

/**
 * Sets the bits of [start, end), offsets from physBase in bytes, as the kernel's bitmap_set does: the first bit is
 * cut to 32 bits, the count to a signed 32-bit number, which is negative when start is above end.
 *
 * @param bitmaps which of the table's bitmaps
 * @source Linux drivers/firmware/efi/libstub/bitmap.c
 */
export const setUnits = (
  memory: GuestBytes,
  table: StubTable,
  bitmaps: readonly Bitmap[],
  start: bigint,
  end: bigint,
  faults: StubFault[],
): Halt | undefined => {
  const first = Number(BigInt.asUintN(32, start / table.unitSize));
  const count = Number(BigInt.asIntN(32, BigInt.asUintN(64, end - start) / table.unitSize));
  for (const bitmap of bitmaps) {
    if (count < 0) {
      const halt = setStray(memory, table, bitmap, strayBits(first, first + count), faults);
      if (halt) return halt;
    } else if (count > 0) {
      const window = memory.bytes(bitmapAt(table, bitmap), Number(table.size));
      if (window === undefined)
        return unbacked("unaccepted-memory bitmap", BigInt(table.at), Number(table.size));
      setRange(window, first, first + count);
    }
  }
  return undefined;
};
