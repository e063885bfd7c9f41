/**
 * What things cost in virtual time. Every row names where its figure comes from; a row that nobody has
 * measured says so. Nothing here is measured on real hardware by this project.
 */
export interface Cost {
  /** Nanoseconds. */
  readonly ns: number;
  readonly source: string;
}

const row = (ns: number, source: string): Cost => ({ ns, source });

export const COST = {
  tdcall: row(
    1278,
    "module-handled CPUID in a TD, 1278 ns: Misono et al., Confidential VMs Explained (2024), fig. 5; taken for any TDCALL that does not exit",
  ),
  tdvmcall: row(9000, "direct TDVMCALL round trip, 8998 to 9140 ns: ibid., fig. 5"),
  accept4K: row(
    6100,
    "derived: 8 GiB accepted page by page take about 30 s (asterinas PR 1691), 14.3 us a page, less the fault",
  ),
  zero4K: row(
    1900,
    "derived: (29.05 - 12.97) s for 32 GiB of first touch (Misono et al.), 1.9 us per 4 KiB, as the share of each 4 KiB in a 2 MiB accept",
  ),
  release4K: row(1278, "no published figure; taken as a TDCALL that does not exit"),
  release2M: row(1278, "no published figure; taken as a TDCALL that does not exit"),
  eptViolation: row(
    8000,
    "one fault of an accept, exit, AUG and re-entry: 8 us early in boot (Dstack PR 1220); the AUG is inside",
  ),
  seamcall: row(1278, "no published figure for a single SEAMCALL; taken as a TDCALL that does not exit"),
  vmgexit: row(3950, "VM exit of an SNP guest, 3927 to 4264 ns: Misono et al., fig. 5"),
  nestedFault: row(
    4264,
    "taken as the slowest exit of an SNP guest, 4264 ns: ibid.; RMPUPDATE and the mapping are inside",
  ),
  pvalidate4K: row(300, "assumed: no published figure for PVALIDATE; one RMP entry"),
  pvalidate2M: row(300, "assumed: one RMP entry, whatever its size"),
  rmpUpdate: row(1000, "assumed: no published figure for RMPUPDATE or PSMASH"),
  wbinvdPage: row(1000, "assumed: no published figure for TDH.PHYMEM.PAGE.WBINVD"),
  virtioRequest: row(20_000, "assumed: two exits and a user-space round trip"),
  acpiAccess: row(14_600, "port read from a TD, 14600 ns: Misono et al., fig. 5 (inb)"),
  pageTouch: row(100, "assumed: a cache miss; a touch that does not exit"),
  kernelStep: row(50, "assumed: a short stretch of kernel code between two visible effects"),
  bootFixed: row(
    334_000_000,
    "fitted: boot work that does not grow with memory, so that lazy boots 2.5 times faster than eager at 4 GiB and 4 times at 64 GiB (cover letter of unaccepted memory v14) on two vCPUs with 2 MiB mappings",
  ),
  bootPerGiB: row(
    122_100_000,
    "fitted to the same two ratios: boot work of a GiB even when lazy (memmap, page tables, host faults), shared by the vCPUs",
  ),
} as const satisfies Record<string, Cost>;

export type CostName = keyof typeof COST;
