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
const overlap = (a: Region, b: Region): boolean => a.base < endOf(b) && b.base < endOf(a);

/**
 * Checks TDMR number `i` against the ones before it, as TDH.SYS.CONFIG does one by one.
 *
 * @param infos TDMRs 0 to i, with all their reserved areas, empty ones included
 * @returns SUCCESS, or the first rule broken, in the module's order: INVALID_TDMR (overflow), NON_ORDERED_TDMR, INVALID_TDMR
 *   (alignment, address width), the reserved areas, the metadata tables, TDMR_OUTSIDE_CMRS
 * @source TDX module 1.5.01 and 2.0, TDH.SYS.CONFIG
 */
export const checkTdmr = (infos: readonly TdmrInfo[], i: number, setting: TdmrSetting): Status => {
  const info = infos[i]!;
  const before = infos[i - 1];
  if (info.base + info.size >= U64) return blame("INVALID_TDMR", i);
  if (before !== undefined && info.base < endOf(before)) return blame("NON_ORDERED_TDMR", i);
  const aligned = info.base % GIB === 0n && info.size % GIB === 0n && info.size > 0n;
  if (!aligned || endOf(info) > setting.hpaEnd) return blame("INVALID_TDMR", i);
  const badArea = checkReservedAreas(info, i);
  if (badArea !== SUCCESS) return badArea;
  const badPamt = checkPamts(infos, i, setting);
  if (badPamt !== SUCCESS) return badPamt;
  for (const area of availableAreas(info)) {
    if (!isConvertible(area, setting.cmrs)) return blame("TDMR_OUTSIDE_CMRS", i);
  }
  return SUCCESS;
};

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

const checkPamts = (infos: readonly TdmrInfo[], i: number, setting: TdmrSetting): Status => {
  const info = infos[i]!;
  for (const size of LARGEST_FIRST) {
    const { base, size: bytes } = pamtOf(info, size);
    const aligned = base % PAGE === 0n && bytes % PAGE === 0n;
    const enough = bytes >= requiredPamtBytes(info.size, size, setting.dynamicPamt);
    if (!aligned || !enough || base + bytes > setting.hpaEnd)
      return blame("INVALID_PAMT", i, PAMT_SIZES[size]);
  }
  const overlapping = checkPamtOverlap(infos, i);
  if (overlapping !== SUCCESS) return overlapping;
  for (const size of LARGEST_FIRST) {
    if (!isConvertible(pamtOf(info, size), setting.cmrs))
      return blame("PAMT_OUTSIDE_CMRS", i, PAMT_SIZES[size]);
  }
  return SUCCESS;
};

/** Metadata tables overlap neither each other nor what a TDMR leaves available. */
const checkPamtOverlap = (infos: readonly TdmrInfo[], i: number): Status => {
  const info = infos[i]!;
  for (let j = 0; j < i; j++) {
    const theirs = SMALLEST_FIRST.map((size) => pamtOf(infos[j]!, size));
    for (const size of SMALLEST_FIRST) {
      const mine = pamtOf(info, size);
      if (theirs.some((other) => overlap(mine, other))) return blame("PAMT_OVERLAP", i, PAMT_SIZES[size], j);
    }
  }
  const { pamt4K, pamt2M, pamt1G } = info;
  if (overlap(pamt4K, pamt2M) || overlap(pamt4K, pamt1G))
    return blame("PAMT_OVERLAP", i, PAMT_SIZES["4K"], i);
  if (overlap(pamt2M, pamt1G)) return blame("PAMT_OVERLAP", i, PAMT_SIZES["2M"], i);
  for (let j = 0; j <= i; j++) {
    const mineInTheirs = tableInAvailable(infos, i, j);
    if (mineInTheirs !== SUCCESS) return mineInTheirs;
    const theirsInMine = tableInAvailable(infos, j, i);
    if (theirsInMine !== SUCCESS) return theirsInMine;
  }
  return SUCCESS;
};

/** Whether a table of TDMR `owner` lies in memory that TDMR `other` leaves available. */
const tableInAvailable = (infos: readonly TdmrInfo[], owner: number, other: number): Status => {
  const available = availableAreas(infos[other]!);
  for (const size of SMALLEST_FIRST) {
    const table = pamtOf(infos[owner]!, size);
    if (available.some((area) => overlap(table, area))) {
      return blame("PAMT_OVERLAP", owner, PAMT_SIZES[size], other);
    }
  }
  return SUCCESS;
};

/** The parts of a TDMR outside its reserved areas, which have been checked. */
const availableAreas = (info: TdmrInfo): Region[] => {
  const available: Region[] = [];
  let at = info.base;
  for (const { offset, size } of info.reserved) {
    if (size === 0n) break;
    if (at < info.base + offset) available.push({ base: at, size: info.base + offset - at });
    at = info.base + offset + size;
  }
  if (at < endOf(info)) available.push({ base: at, size: endOf(info) - at });
  return available;
};

/** Whether one convertible range, or several that follow each other without a gap, contain the whole region. */
const isConvertible = (region: Region, cmrs: readonly Region[]): boolean => {
  let start = 0n;
  let end = 0n;
  for (const cmr of cmrs) {
    if (cmr.size === 0n) continue;
    if (cmr.base !== end) start = cmr.base;
    end = endOf(cmr);
    if (start <= region.base && endOf(region) <= end) return true;
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
