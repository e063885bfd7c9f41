import type { Range } from "../facts.ts";

/** Ascending, disjoint, not touching: every address that any of the ranges holds. */
export const union = (ranges: readonly Range[]): Range[] => {
  const merged: { start: number; end: number }[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    if (end <= start) continue;
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
};

/** What both hold. */
export const intersection = (a: readonly Range[], b: readonly Range[]): Range[] => {
  const [first, second] = [union(a), union(b)];
  const both: Range[] = [];
  let i = 0;
  let j = 0;
  while (i < first.length && j < second.length) {
    const start = Math.max(first[i]!.start, second[j]!.start);
    const end = Math.min(first[i]!.end, second[j]!.end);
    if (start < end) both.push({ start, end });
    if (first[i]!.end < second[j]!.end) i++;
    else j++;
  }
  return both;
};

/** What the first hold and the second do not. */
export const difference = (a: readonly Range[], b: readonly Range[]): Range[] => {
  const [first, second] = [union(a), union(b)];
  const rest: Range[] = [];
  let j = 0;
  for (const { start, end } of first) {
    let at = start;
    while (j > 0 && second[j - 1]!.end > start) j--;
    while (j < second.length && second[j]!.end <= at) j++;
    for (let k = j; k < second.length && second[k]!.start < end; k++) {
      if (second[k]!.start > at) rest.push({ start: at, end: second[k]!.start });
      at = Math.max(at, second[k]!.end);
    }
    if (at < end) rest.push({ start: at, end });
  }
  return rest;
};

/** Bytes. */
export const total = (ranges: readonly Range[]): number =>
  union(ranges).reduce((sum, { start, end }) => sum + end - start, 0);

export const overlaps = (a: Range, b: Range): boolean => a.start < b.end && b.start < a.end;
export const contains = (outer: Range, inner: Range): boolean =>
  outer.start <= inner.start && inner.end <= outer.end;

export const roundDown = (address: number, unit: number): number => address - (address % unit);
export const roundUp = (address: number, unit: number): number => roundDown(address + unit - 1, unit);
