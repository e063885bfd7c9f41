import { PAMT_COVERS, type PamtSize } from "../abi/tdx/pamt-size.ts";
import type { TdmrInfo } from "../abi/tdx/tdmr-info.ts";
import { GIB, MIB, PAGE_SIZE, roundDown, roundUp } from "../units.ts";
import { ERRNO } from "./errno.ts";
import type { HostPages } from "./host-pages.ts";
import type { KernelLog } from "./kernel-log.ts";
import { type ByteRange, hexAddress, type MemoryRange } from "./memory-range.ts";

/** What the kernel reads of the module to build TDMRs, all through TDH.SYS.RD. */
export interface TdmrLimits {
  readonly maxTdmrs: number;
  readonly maxReserved: number;
  /** Bytes of a metadata entry, by size class. */
  readonly entryBytes: Readonly<Record<PamtSize, number>>;
  /** With dynamic PAMT the 4 KiB table is a bitmap: bits for each page. 0 without. */
  readonly bitmapBits: number;
}

/** A TDMR under construction. `pamt` is one contiguous run: 4 KiB, 2 MiB and 1 GiB table in this order. */
export interface BuiltTdmr extends ByteRange {
  readonly pamt: number;
  readonly pamtBytes: Readonly<Record<PamtSize, number>>;
  readonly reserved: readonly ByteRange[];
}

const SIZES: readonly PamtSize[] = ["4K", "2M", "1G"];
/** The kernel warns when so few TDMRs are left. */
const TDMR_NR_WARN = 4;

/**
 * The memory that TDX may use: all that memblock has, without the first MiB, which firmware never makes convertible.
 *
 * @param memory ascending, disjoint
 * @source Linux arch/x86/virt/vmx/tdx/tdx.c, build_tdx_memlist
 */
export const tdxMemlist = (memory: readonly MemoryRange[]): MemoryRange[] =>
  memory.flatMap(({ start, end, node }) => {
    const from = Math.max(start, MIB);
    return from < end ? [{ start: from, end, node }] : [];
  });

/**
 * One TDMR for each memory range, rounded out to 1 GiB; what the TDMR before covers is left out.
 *
 * @returns the TDMRs' spans, or -ENOSPC
 * @source Linux arch/x86/virt/vmx/tdx/tdx.c, fill_out_tdmrs
 */
export const fillTdmrs = (
  memlist: readonly MemoryRange[],
  { maxTdmrs }: TdmrLimits,
  log: KernelLog,
): ByteRange[] | number => {
  const spans: ByteRange[] = [];
  for (const range of memlist) {
    const end = roundUp(range.end, GIB);
    const last = spans.at(-1);
    if (last !== undefined && end <= last.end) continue;
    if (spans.length === maxTdmrs) {
      log.tdx("warning", "initialization failed: TDMRs exhausted.");
      return ERRNO.ENOSPC;
    }
    spans.push({ start: Math.max(roundDown(range.start, GIB), last?.end ?? 0), end });
  }
  if (maxTdmrs - spans.length < TDMR_NR_WARN) {
    log.tdx("warning", `consumed TDMRs reaching limit: ${spans.length} used out of ${maxTdmrs}`);
  }
  return spans;
};

/** Bytes of a TDMR's metadata tables, each in whole pages. @source Linux tdx.c, tdmr_get_pamt_sz */
export const pamtBytesOf = (
  span: ByteRange,
  { entryBytes, bitmapBits }: TdmrLimits,
): Record<PamtSize, number> => {
  const pages = (size: PamtSize): number => (span.end - span.start) / Number(PAMT_COVERS[size]);
  const of = (size: PamtSize): number => roundUp(pages(size) * entryBytes[size], PAGE_SIZE);
  const bitmap = roundUp((pages("4K") * bitmapBits) / 8, PAGE_SIZE);
  return { "4K": bitmapBits > 0 ? bitmap : of("4K"), "2M": of("2M"), "1G": of("1G") };
};

export const totalBytes = (bytes: Readonly<Record<PamtSize, number>>): number =>
  SIZES.reduce((sum, size) => sum + bytes[size], 0);

/**
 * Gives each TDMR its metadata, near its memory.
 *
 * @param fails whether the allocation that is made now is to fail
 * @returns the TDMRs, no area reserved yet, or -ENOMEM with every table given back
 * @source Linux arch/x86/virt/vmx/tdx/tdx.c, tdmrs_set_up_pamt_all
 */
export const setUpPamts = (
  spans: readonly ByteRange[],
  memlist: readonly MemoryRange[],
  limits: TdmrLimits,
  pages: HostPages,
  fails: () => boolean = () => false,
): BuiltTdmr[] | number => {
  const built: BuiltTdmr[] = [];
  for (const span of spans) {
    const pamtBytes = pamtBytesOf(span, limits);
    const node = memlist.find(({ end }) => end > span.start)?.node ?? 0;
    const pamt = fails() ? -1 : pages.takeContiguous(totalBytes(pamtBytes) / PAGE_SIZE, node);
    if (pamt < 0) {
      freePamts(built, pages);
      return ERRNO.ENOMEM;
    }
    built.push({ ...span, pamt, pamtBytes, reserved: [] });
  }
  return built;
};

export const freePamts = (tdmrs: readonly BuiltTdmr[], pages: HostPages): void => {
  for (const { pamt, pamtBytes } of tdmrs) pages.give(pamt, pamt + totalBytes(pamtBytes));
};

/**
 * Reserves in each TDMR the holes between the ranges of `usable`, and each metadata table that lies inside.
 *
 * @param usable what is not a hole: the memory list, or (a proposal of 2024-11) the convertible ranges, which are fewer
 * @returns the TDMRs, or -ENOSPC for the first that has more areas than the module takes
 * @source Linux arch/x86/virt/vmx/tdx/tdx.c, tdmrs_populate_rsvd_areas_all
 */
export const reserveAreas = (
  tdmrs: readonly BuiltTdmr[],
  usable: readonly ByteRange[],
  { maxReserved }: TdmrLimits,
  log: KernelLog,
): BuiltTdmr[] | number => {
  const done: BuiltTdmr[] = [];
  for (const tdmr of tdmrs) {
    const areas = [...holesIn(tdmr, usable), ...pamtsIn(tdmr, tdmrs)];
    if (areas.length > maxReserved) {
      const where = `[${hexAddress(tdmr.start)}, ${hexAddress(tdmr.end)})`;
      log.tdx("warning", `initialization failed: TDMR ${where}: reserved areas exhausted.`);
      return ERRNO.ENOSPC;
    }
    done.push({ ...tdmr, reserved: areas.sort((a, b) => a.start - b.start) });
  }
  return done;
};

const holesIn = (tdmr: ByteRange, usable: readonly ByteRange[]): ByteRange[] => {
  const holes: ByteRange[] = [];
  let at = tdmr.start;
  for (const { start, end } of usable) {
    if (start >= tdmr.end) break;
    if (end < tdmr.start) continue;
    if (start > at) holes.push({ start: at, end: start });
    at = end;
  }
  if (at < tdmr.end) holes.push({ start: at, end: tdmr.end });
  return holes;
};

const pamtsIn = (tdmr: ByteRange, tdmrs: readonly BuiltTdmr[]): ByteRange[] =>
  tdmrs.flatMap(({ pamt, pamtBytes }) => {
    const start = Math.max(pamt, tdmr.start);
    const end = Math.min(pamt + totalBytes(pamtBytes), tdmr.end);
    return start < end ? [{ start, end }] : [];
  });

/** The structure that TDH.SYS.CONFIG reads. */
export const tdmrInfoOf = ({ start, end, pamt, pamtBytes, reserved }: BuiltTdmr): TdmrInfo => {
  const region = (base: number, size: number) => ({ base: BigInt(base), size: BigInt(size) });
  return {
    ...region(start, end - start),
    pamt4K: region(pamt, pamtBytes["4K"]),
    pamt2M: region(pamt + pamtBytes["4K"], pamtBytes["2M"]),
    pamt1G: region(pamt + pamtBytes["4K"] + pamtBytes["2M"], pamtBytes["1G"]),
    reserved: reserved.map((area) => ({
      offset: BigInt(area.start - start),
      size: BigInt(area.end - area.start),
    })),
  };
};
