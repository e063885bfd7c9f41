import { PAMT_SIZES, type PamtSize, requiredPamtBytes } from "../abi/tdx/pamt-size.ts";
import { type Status, type StatusName, status } from "../abi/tdx/status.ts";
import type { Region, TdmrInfo } from "../abi/tdx/tdmr-info.ts";

/** What the rules compare a TDMR with. */
export interface TdmrSetting {
  readonly cmrs: readonly Region[];
  /** Bytes that host addresses without a key id can name: 2 to the power of their width. */
  readonly hpaEnd: bigint;
  readonly dynamicPamt: boolean;
}

const GIB = 1n << 30n;
const PAGE = 4096n;
const U64 = 1n << 64n;
const SUCCESS = status("SUCCESS");

const LARGEST_FIRST: readonly PamtSize[] = ["1G", "2M", "4K"];
const SMALLEST_FIRST: readonly PamtSize[] = ["4K", "2M", "1G"];

/** A refusal: bits 7:0 of the details number the TDMR; two more bytes by the kind of refusal. */
const blame = (name: StatusName, tdmr: number, second = 0, third = 0): Status =>
  status(name, tdmr + second * 2 ** 8 + third * 2 ** 16);

const pamtOf = (info: TdmrInfo, size: PamtSize): Region =>
  size === "4K" ? info.pamt4K : size === "2M" ? info.pamt2M : info.pamt1G;
const endOf = (region: Region): bigint => region.base + region.size;

/** Runs of bytes: start and end of each in turn. Below 2^52, so numbers are exact. */
type Runs = readonly number[];

const overlapAt = (a: Runs, i: number, b: Runs, j: number): boolean => a[i]! < b[j + 1]! && b[j]! < a[i + 1]!;
const overlapsAny = (a: Runs, i: number, b: Runs): boolean => {
  for (let j = 0; j < b.length; j += 2) if (overlapAt(a, i, b, j)) return true;
  return false;
};

/** A TDMR whose reserved areas and tables are well formed: its tables, smallest pages first, and what it leaves available. */
interface Placed {
  readonly tables: Runs;
  readonly available: Runs;
}

/** Checks TDMRs one after another, each against the ones before it, as TDH.SYS.CONFIG does. */
export class TdmrChecker {
  private readonly setting: TdmrSetting;
  private readonly placed: Placed[] = [];
  private before: TdmrInfo | undefined;

  constructor(setting: TdmrSetting) {
    this.setting = setting;
  }

  /**
   * Checks the next TDMR.
   *
   * @param info with all its reserved areas, empty ones included
   * @returns SUCCESS, or the first rule broken, in the module's order: INVALID_TDMR (overflow), NON_ORDERED_TDMR, INVALID_TDMR
   *   (alignment, address width), the reserved areas, the metadata tables, TDMR_OUTSIDE_CMRS
   * @source TDX module 1.5.01 and 2.0, TDH.SYS.CONFIG
   */
  check(info: TdmrInfo): Status {
    const i = this.placed.length;
    if (info.base + info.size >= U64) return blame("INVALID_TDMR", i);
    if (this.before !== undefined && info.base < endOf(this.before)) return blame("NON_ORDERED_TDMR", i);
    const aligned = info.base % GIB === 0n && info.size % GIB === 0n && info.size > 0n;
    if (!aligned || endOf(info) > this.setting.hpaEnd) return blame("INVALID_TDMR", i);
    const badArea = checkReservedAreas(info, i);
    if (badArea !== SUCCESS) return badArea;
    const badPamt = checkPamts(info, i, this.setting);
    if (badPamt !== SUCCESS) return badPamt;
    const { cmrs } = this.setting;
    this.before = info;
    this.placed.push({ tables: tablesOf(info), available: availableOf(info) });
    const overlapping = checkPamtOverlap(this.placed, i);
    if (overlapping !== SUCCESS) return overlapping;
    for (const size of LARGEST_FIRST) {
      const { base, size: bytes } = pamtOf(info, size);
      const isInside = isConvertible(Number(base), Number(base + bytes), cmrs);
      if (!isInside) return blame("PAMT_OUTSIDE_CMRS", i, PAMT_SIZES[size]);
    }
    const { available } = this.placed[i]!;
    for (let j = 0; j < available.length; j += 2) {
      if (!isConvertible(available[j]!, available[j + 1]!, cmrs)) return blame("TDMR_OUTSIDE_CMRS", i);
    }
    return SUCCESS;
  }
}

const checkReservedAreas = (info: TdmrInfo, i: number): Status => {
  const areas = info.reserved;
  for (let j = 0; j < areas.length; j++) {
    const { offset, size } = areas[j]!;
    if (size === 0n) {
      if ((areas[j + 1]?.size ?? 0n) !== 0n) return blame("NON_ORDERED_RESERVED_IN_TDMR", i, j);
      continue;
    }
    if (offset + size >= U64) return blame("INVALID_RESERVED_IN_TDMR", i, j);
    const previous = areas[j - 1];
    if (previous !== undefined && offset < previous.offset + previous.size) {
      return blame("NON_ORDERED_RESERVED_IN_TDMR", i, j);
    }
    const aligned = offset % PAGE === 0n && size % PAGE === 0n;
    if (!aligned || offset + size > info.size) return blame("INVALID_RESERVED_IN_TDMR", i, j);
  }
  return SUCCESS;
};

const checkPamts = (info: TdmrInfo, i: number, setting: TdmrSetting): Status => {
  for (const size of LARGEST_FIRST) {
    const { base, size: bytes } = pamtOf(info, size);
    const aligned = base % PAGE === 0n && bytes % PAGE === 0n;
    const enough = bytes >= requiredPamtBytes(info.size, size, setting.dynamicPamt);
    if (!aligned || !enough || base + bytes > setting.hpaEnd)
      return blame("INVALID_PAMT", i, PAMT_SIZES[size]);
  }
  return SUCCESS;
};

const tablesOf = (info: TdmrInfo): Runs =>
  SMALLEST_FIRST.flatMap((size) => {
    const table = pamtOf(info, size);
    return [Number(table.base), Number(endOf(table))];
  });

/** The parts of a TDMR outside its reserved areas. */
const availableOf = (info: TdmrInfo): Runs => {
  const available: number[] = [];
  const base = Number(info.base);
  const end = Number(endOf(info));
  let at = base;
  for (const { offset, size } of info.reserved) {
    if (size === 0n) break;
    if (at < base + Number(offset)) available.push(at, base + Number(offset));
    at = base + Number(offset + size);
  }
  if (at < end) available.push(at, end);
  return available;
};

/** Metadata tables of TDMR `i` overlap neither others' nor its own, and no table lies where a TDMR has memory available. */
const checkPamtOverlap = (placed: readonly Placed[], i: number): Status => {
  const { tables } = placed[i]!;
  for (let j = 0; j < i; j++) {
    for (let size = 0; size < 3; size++) {
      if (overlapsAny(tables, 2 * size, placed[j]!.tables)) return blame("PAMT_OVERLAP", i, size, j);
    }
  }
  for (let size = 0; size < 2; size++) {
    if (overlapsAny(tables, 2 * size, tables.slice(2 * size + 2))) return blame("PAMT_OVERLAP", i, size, i);
  }
  for (let j = 0; j <= i; j++) {
    const mineInTheirs = tableInAvailable(placed, i, j);
    if (mineInTheirs !== SUCCESS) return mineInTheirs;
    const theirsInMine = j === i ? SUCCESS : tableInAvailable(placed, j, i);
    if (theirsInMine !== SUCCESS) return theirsInMine;
  }
  return SUCCESS;
};

/** Whether a table of TDMR `owner` lies in memory that TDMR `other` leaves available. */
const tableInAvailable = (placed: readonly Placed[], owner: number, other: number): Status => {
  const { tables } = placed[owner]!;
  const { available } = placed[other]!;
  for (let size = 0; size < 3; size++) {
    if (overlapsAny(tables, 2 * size, available)) return blame("PAMT_OVERLAP", owner, size, other);
  }
  return SUCCESS;
};

/** Whether one convertible range, or several that follow each other without a gap, contain all of [from, to). */
const isConvertible = (from: number, to: number, cmrs: readonly Region[]): boolean => {
  let start = 0;
  let end = 0;
  for (const cmr of cmrs) {
    if (cmr.size === 0n) continue;
    const base = Number(cmr.base);
    if (base !== end) start = base;
    end = base + Number(cmr.size);
    if (start <= from && to <= end) return true;
  }
  return false;
};

/**
 * The module's own check of the convertible memory ranges: each ends below the address width, is a run of 4 KiB pages, and
 * lies behind the one before. Entries of size zero do not count.
 *
 * @returns the number of the first entry that breaks a rule, or -1
 * @source TDX module 1.5.25, check of the CMR list in TDH.SYS.INIT
 */
export const firstBadCmr = (cmrs: readonly Region[], hpaEnd: bigint): number => {
  let end = 0n;
  return cmrs.findIndex((cmr) => {
    if (cmr.size === 0n) return false;
    const bad = cmr.base % PAGE !== 0n || cmr.size % PAGE !== 0n || endOf(cmr) > hpaEnd || cmr.base < end;
    end = endOf(cmr);
    return bad;
  });
};
