import type { BitRun, Comparison } from "./expectation.ts";
import type { CounterUnit } from "./kernel-counters.ts";
import { formatSize } from "./quantity.ts";

/** True if `value` passes; both in the same unit. */
export const passes = ({ operator, value: low, high }: Comparison, value: number): boolean => {
  switch (operator) {
    case "=":
      return value === low;
    case "!=":
      return value !== low;
    case "<":
      return value < low;
    case "<=":
      return value <= low;
    case ">":
      return value > low;
    case ">=":
      return value >= low;
    default:
      return low <= value && value <= high;
  }
};

const BYTES_OF = { kB: 1024, pages: 4096, count: 1 } as const;

/** A counter's number in the unit of the test: bytes if the test names K, M, G, its own unit otherwise. */
export const inUnitOf = (test: Comparison, value: number, unit: CounterUnit): number =>
  test.inBytes ? value * BYTES_OF[unit] : value;

/** A counter's number as a reader compares it with the test. */
export const amountText = (test: Comparison, value: number, unit: CounterUnit): string => {
  const own = unit === "count" ? String(value) : `${value} ${unit}`;
  if (!test.inBytes || unit === "count") return own;
  const bytes = value * BYTES_OF[unit];
  return `${own} (${bytes < 0 ? "-" : ""}${formatSize(Math.abs(bytes))})`;
};

/** Joins adjoining runs, so that equal sets of bits have equal runs. */
export const normalRuns = (runs: readonly BitRun[]): BitRun[] => {
  const joined: BitRun[] = [];
  for (const { first, count } of runs) {
    const last = joined.at(-1);
    if (count === 0) continue;
    if (last !== undefined && last.first + last.count === first) {
      joined[joined.length - 1] = { first: last.first, count: last.count + count };
    } else joined.push({ first, count });
  }
  return joined;
};

/** Runs without the bits of others, joined and in order; both ascend. */
export const withoutRuns = (runs: readonly BitRun[], cut: readonly BitRun[]): BitRun[] => {
  let left = normalRuns(runs);
  for (const gap of normalRuns(cut)) {
    const end = gap.first + gap.count;
    left = left.flatMap(({ first, count }) => [
      { first, count: Math.max(0, Math.min(first + count, gap.first) - first) },
      { first: Math.max(first, end), count: Math.max(0, first + count - Math.max(first, end)) },
    ]);
    left = left.filter(({ count }) => count > 0);
  }
  return left;
};

const MOST_RUNS = 6;

/** Writes set bits as a scenario does: `0-1023, 1026`, or `none`. */
export const runsText = (runs: readonly BitRun[]): string => {
  if (runs.length === 0) return "none";
  const text = runs
    .slice(0, MOST_RUNS)
    .map(({ first, count }) => (count === 1 ? `${first}` : `${first}-${first + count - 1}`))
    .join(", ");
  return runs.length > MOST_RUNS ? `${text} and ${runs.length - MOST_RUNS} runs more` : text;
};
