import { assert } from "../../assert.ts";
import { DecodeError, type FieldsOf, hex, struct } from "../bytes.ts";

/**
 * Header of the unaccepted-memory table, a configuration table private to Linux. One bit of a bitmap stands for
 * unitSize bytes; bit 0 starts at physBase. Version 1 has one bitmap after the header (set: not accepted yet).
 * Version 2 has a second one of the same size right behind it (set: the VMM has plugged it), at whatever byte
 * that is: the size need not be a multiple of 8.
 *
 * @source Linux include/linux/efi.h; version 2: RFCv2 "Support memory hotplug/unplug for TDX CoCo guests", 2026-06
 */
export const UNACCEPTED_TABLE_HEADER = struct("unaccepted-memory table", 24, {
  version: [0, "u32"],
  unitSize: [4, "u32"], // bytes a bit stands for; 2 MiB on x86
  physBase: [8, "u64"], // guest-physical byte address, a multiple of unitSize
  size: [16, "u64"], // bytes of ONE bitmap
});
export type UnacceptedTableHeader = FieldsOf<typeof UNACCEPTED_TABLE_HEADER>;

export type UnacceptedTableVersion = 1 | 2;
/** Bytes that one bit stands for on x86: the size of a PMD mapping. */
export const EFI_UNACCEPTED_UNIT_SIZE = 0x20_0000;

/** Bytes of a whole table whose bitmaps have `size` bytes each. */
export const unacceptedTableBytes = (version: UnacceptedTableVersion, size: number): number =>
  UNACCEPTED_TABLE_HEADER.size + version * size;

/** A table as it lies in memory; the bitmaps are windows into it, not copies. */
export interface UnacceptedTableView {
  readonly version: UnacceptedTableVersion;
  readonly unitSize: number;
  /** Guest-physical byte address of bit 0. */
  readonly physBase: number;
  /** Bytes of one bitmap. */
  readonly size: number;
  /** Bits of one bitmap. */
  readonly units: number;
  /** Guest-physical byte address after the last unit. */
  readonly windowEnd: number;
  /** Bit set: not accepted. */
  readonly unaccepted: Uint8Array;
  /** Bit set: the VMM has plugged it. Version 2 only. */
  readonly plugged: Uint8Array | undefined;
}

const WHAT = UNACCEPTED_TABLE_HEADER.name;
const ADDRESS_LIMIT = 2n ** 52n;

const refuseUnless = (holds: boolean, offset: number, expected: string, found: number | bigint): void => {
  if (!holds) throw new DecodeError(WHAT, offset, expected, hex(found));
};

const checkHeader = (header: UnacceptedTableHeader, length: number): void => {
  const { version, unitSize, physBase, size } = header;
  refuseUnless(version === 1 || version === 2, 0, "version 1 or 2", version);
  refuseUnless(unitSize > 0, 4, "a unit size above 0", unitSize);
  refuseUnless(
    physBase % BigInt(unitSize) === 0n,
    8,
    `a multiple of the unit size ${hex(unitSize)}`,
    physBase,
  );
  const whole = BigInt(UNACCEPTED_TABLE_HEADER.size) + BigInt(version) * size;
  refuseUnless(whole <= BigInt(length), 16, `bitmaps that end within ${length} bytes`, size);
  const end = physBase + size * 8n * BigInt(unitSize);
  refuseUnless(end <= 2n * ADDRESS_LIMIT, 8, "a window of guest-physical addresses", end);
};

/**
 * A view of the table at the start of `bytes`.
 *
 * @throws DecodeError if the version is not 1 or 2, the bitmaps are not all there, or the header makes no window
 */
export const unacceptedTableView = (bytes: Uint8Array): UnacceptedTableView => {
  const header = UNACCEPTED_TABLE_HEADER.decode(bytes);
  checkHeader(header, bytes.length);
  const version = header.version as UnacceptedTableVersion;
  const { unitSize } = header;
  const size = Number(header.size);
  const physBase = Number(header.physBase);
  const bitmap = (n: number): Uint8Array =>
    bytes.subarray(unacceptedTableBytes(1, n * size), unacceptedTableBytes(1, (n + 1) * size));
  return {
    version,
    unitSize,
    physBase,
    size,
    units: size * 8,
    windowEnd: physBase + size * 8 * unitSize,
    unaccepted: bitmap(0),
    plugged: version === 2 ? bitmap(1) : undefined,
  };
};

/**
 * Writes a header in front of bitmaps that are zero already.
 *
 * @param bytes at least the whole table
 */
export const putUnacceptedTable = (
  bytes: Uint8Array,
  header: Readonly<{ version: UnacceptedTableVersion; unitSize: number; physBase: bigint; size: number }>,
): void => {
  const { version, unitSize, physBase, size } = header;
  assert(bytes.length >= unacceptedTableBytes(version, size), "the bytes hold the whole table");
  bytes.set(UNACCEPTED_TABLE_HEADER.encode({ version, unitSize, physBase, size: BigInt(size) }));
};
