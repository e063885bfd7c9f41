import { GIB, MIB } from "../units.ts";
import type { Bill, BillRowName, Counted } from "./bill.ts";
import type { PlanRequest } from "./plan-request.ts";

/**
 * Two sizes of a machine that were run, from which a larger one follows: between sizes a whole number of `step`
 * apart the model does the same work for each step.
 */
export interface Growth {
  readonly small: number;
  readonly large: number;
  /** Steps of (large - small) from `small` to the wanted size. */
  readonly steps: number;
}

/** Boot memory up to which a machine is run as it is. */
export const MOST_MEMORY_RUN = 64 * GIB;
/** Memory of a device up to which all of it is plugged. */
export const MOST_PLUGGED_RUN = 24 * GIB;
/** The bounce buffers stop to grow with memory at 1 GiB, 6 % of this. */
const LEAST_MEMORY = 18 * GIB;
/** From here on kernels choose the size of their memory blocks by where RAM ends. */
const LARGE_SYSTEM = 64 * GIB;
/** What is left free and accepted of a boot is used up before plugging costs what it then costs for good. */
const LEAST_PLUGGED = 8 * GIB;
/** Whole turns of what a guest does: struct pages are accepted by chunks, and watermarks lift them now and then. */
const PLUGGED_STEP = 8 * GIB;
/** Deferred memory is cut at sections, one of 128 MiB for each part at least. */
const SECTION = 128 * MIB;
/** Memory blocks of large systems. */
const BLOCK = 2 * GIB;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
const leastMultiple = (a: number, b: number): number => (a / gcd(a, b)) * b;

const growth = (wanted: number, least: number, step: number): Growth => {
  const small = least + ((wanted - least) % step);
  return { small, large: small + step, steps: (wanted - small) / step };
};

/** Sizes to run for the boot of a large machine; undefined: it is run itself. */
export const memoryGrowth = ({ memory, vcpus, nodes }: PlanRequest): Growth | undefined => {
  if (memory <= MOST_MEMORY_RUN) return undefined;
  const parts = Math.max(1, Math.floor(vcpus / nodes)) * nodes;
  const step = leastMultiple(leastMultiple(parts * SECTION, BLOCK), nodes * BLOCK);
  const least = Math.max(LEAST_MEMORY, LARGE_SYSTEM + GIB);
  return memory <= least + 2 * step ? undefined : growth(memory, least, step);
};

/** Sizes to plug for the growth of a machine by `plugged` a device; undefined: it is plugged itself. */
export const pluggedGrowth = ({ device, blockSize }: PlanRequest, plugged: number): Growth | undefined => {
  if (plugged <= MOST_PLUGGED_RUN) return undefined;
  const step = device === "dimm" ? PLUGGED_STEP : Math.max(PLUGGED_STEP, blockSize);
  const least = Math.max(LEAST_PLUGGED, step);
  return plugged <= least + 2 * step ? undefined : growth(plugged, least, step);
};

const grown = (small: number, large: number, { steps }: Growth): number => small + (large - small) * steps;

const rowsOf = (...bills: readonly Bill[]): BillRowName[] => [
  ...new Set(bills.flatMap(({ counted }) => Object.keys(counted) as BillRowName[])),
];

/** The bill of the wanted size from those of two smaller ones. */
export const grownBill = (small: Bill, large: Bill, by: Growth): Bill => {
  const counted = Object.fromEntries(
    rowsOf(small, large).map((row) => [row, grown(small.counted[row] ?? 0, large.counted[row] ?? 0, by)]),
  ) as Counted;
  return {
    ns: grown(small.ns, large.ns, by),
    counted,
    restNs: grown(small.restNs, large.restNs, by),
  };
};
