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
/** Memory of a device up to which all of it is plugged. A DIMM comes in fewer steps. */
export const MOST_PLUGGED_RUN = 24 * GIB;
const MOST_DIMM_RUN = 64 * GIB;
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
  if (plugged <= (device === "dimm" ? MOST_DIMM_RUN : MOST_PLUGGED_RUN)) return undefined;
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

/** DIMMs that are plugged in a run: all of them up to so many bytes together, and never fewer than three. */
const MOST_DIMMS_RUN = 256 * GIB;
const FEWEST_DIMMS_RUN = 3;

/** How many of `devices` equal DIMMs of `plugged` bytes are plugged in a run. */
export const devicesRun = (devices: number, plugged: number): number =>
  Math.min(devices, Math.max(FEWEST_DIMMS_RUN, Math.floor(MOST_DIMMS_RUN / Math.max(1, plugged))));

/**
 * The bill of `count` devices that come, or go, one after the other, from those of the first few: each of the others costs as much as
 * the later half of these do on average. The first ones use up what is left free of the boot.
 */
export const serialGrowth = (bills: readonly Bill[], count: number): Bill => {
  const later = bills.slice(Math.floor(bills.length / 2));
  const more = Math.max(0, count - bills.length) / later.length;
  const sum = (of: (bill: Bill) => number): number =>
    bills.reduce((total, bill) => total + of(bill), 0) +
    (more === 0 ? 0 : more * later.reduce((total, bill) => total + of(bill), 0));
  const counted = Object.fromEntries(
    rowsOf(...bills).map((row) => [row, sum((bill) => bill.counted[row] ?? 0)]),
  );
  return { ns: sum(({ ns }) => ns), counted, restNs: sum(({ restNs }) => restNs) };
};
