import type { Range } from "../facts.ts";
import { intersection, roundDown, roundUp, union } from "./ranges.ts";
import type { Survey } from "./survey.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** The kernel leaves the first MiB out of the memory it gives to TDX. */
const FIRST_ADDRESS = MIB;

/** Whether a host of TDs is described: it says so, or it lists convertible memory. */
export const isTdxHost = ({ roles, of }: Survey): boolean => roles.has("TDX host") || of("cmr").length > 0;

/** What the log says of the module's start; nothing of it, or no log at all, is undefined. */
export const tdxOutcome = ({ of }: Survey): "initialised" | "failed" | undefined => {
  const failed = [...of("tdx-failed"), ...of("reserved-areas-exhausted"), ...of("tdmrs-exhausted")];
  if (failed.length > 0) return "failed";
  return of("platform").some(({ said }) => /odule initialized$/.test(said)) ? "initialised" : undefined;
};

/** The memory that the kernel would give to TDX: RAM at boot above 1 MiB. */
export const tdxMemory = ({ ram, ramSource }: Survey): Range[] =>
  ramSource === "SRAT" || ramSource === "lsmem"
    ? []
    : union(ram).flatMap(({ start, end }) =>
        end <= FIRST_ADDRESS ? [] : [{ start: Math.max(start, FIRST_ADDRESS), end }],
      );

/** Regions of 1 GiB and more that cover this memory. @source Linux arch/x86/virt/vmx/tdx/tdx.c (fill_out_tdmrs) */
export const tdmrsOf = (memory: readonly Range[]): Range[] => {
  const tdmrs: Range[] = [];
  let covered = 0;
  for (const range of memory) {
    const end = roundUp(range.end, GIB);
    if (end <= covered) continue;
    const start = Math.max(roundDown(range.start, GIB), covered);
    tdmrs.push({ start, end });
    covered = end;
  }
  return tdmrs;
};

/** Holes of a region: what none of the ranges has. @source tdx.c (tdmr_populate_rsvd_holes) */
export const holesIn = (tdmr: Range, memory: readonly Range[]): Range[] => {
  const holes: Range[] = [];
  let at = tdmr.start;
  for (const { start, end } of intersection([tdmr], memory)) {
    if (start > at) holes.push({ start: at, end: start });
    at = end;
  }
  if (at < tdmr.end) holes.push({ start: at, end: tdmr.end });
  return holes;
};
