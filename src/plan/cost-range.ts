import { COST, type CostName } from "../machine/cost.ts";

/** How far off a row of the cost table may be. */
export interface CostRange {
  /** Factors of the row's figure. */
  readonly low: number;
  readonly high: number;
  readonly why: string;
}

const range = (low: number, high: number, why: string): CostRange => ({ low, high, why });

/**
 * Ranges of the cost table's rows. A figure that was measured by its publication on one machine gets what other
 * processors of the kind differ by; one that was derived or fitted, what its sources leave open; one that nobody
 * has published, an order of magnitude about it.
 *
 * @missing ranges that were measured: no publication has more than one machine for a row
 */
export const COST_RANGES: { readonly [name in CostName]: CostRange } = {
  tdcall: range(0.7, 1.5, "measured on one processor"),
  tdvmcall: range(0.7, 1.5, "measured on one processor"),
  accept4K: range(0.5, 2, "derived from one report of 8 GiB in 30 s"),
  zero4K: range(0.5, 2, "derived from one measurement; the host's page size was not stated"),
  release4K: range(0.3, 5, "nobody has published one"),
  release2M: range(0.3, 5, "nobody has published one"),
  eptViolation: range(0.5, 19, "8 us early in a boot, 153 us late in it with 248 vCPUs: Dstack PR 1220"),
  seamcall: range(0.3, 5, "nobody has published one"),
  vmgexit: range(0.7, 1.5, "measured on one processor"),
  nestedFault: range(0.7, 5, "an exit that was measured; the work on the page is not"),
  pvalidate4K: range(0.3, 10, "nobody has published one"),
  pvalidate2M: range(0.3, 10, "nobody has published one"),
  rmpUpdate: range(0.3, 10, "nobody has published one"),
  wbinvdPage: range(0.3, 10, "nobody has published one"),
  virtioRequest: range(0.3, 5, "assumed"),
  acpiAccess: range(0.7, 1.5, "measured on one processor"),
  pageTouch: range(0.5, 5, "assumed"),
  kernelStep: range(0.2, 5, "assumed"),
  bootFixed: range(0.5, 4, "fitted to two ratios; firmware, drivers and the distribution decide"),
  bootPerGiB: range(0.3, 1.5, "fitted to two ratios"),
};

export const costNs = (name: CostName): number => COST[name].ns;
export const costSource = (name: CostName): string => COST[name].source;
