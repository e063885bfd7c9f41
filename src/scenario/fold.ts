import type { TraceEvent } from "./world.ts";

/** One deed, or a run of equal deeds on adjoining ranges. */
export interface TranscriptRow {
  /** First machine step. */
  readonly step: number;
  /** Virtual time at the end of the first and of the last deed. */
  readonly ns: number;
  readonly endNs: number;
  readonly actor: string;
  readonly vcpu: number | null;
  readonly what: string;
  /** Hull of the ranges of all deeds the row stands for, half open. */
  readonly start: number | null;
  readonly end: number | null;
  readonly status: string;
  readonly stateAfter: string | null;
  /** Deeds the row stands for in one turn of the patterns around it. */
  readonly count: number;
  /** Line of the scenario, 0 if none. */
  readonly line: number;
}

/** Items that came `times` times in a row, each turn behind or before the last one in memory. */
export interface TranscriptPattern {
  readonly times: number;
  readonly items: readonly TranscriptItem[];
}

export type TranscriptItem = TranscriptRow | TranscriptPattern;

export const isPattern = (item: TranscriptItem): item is TranscriptPattern => "items" in item;

/** Machine steps that an item stands for. */
export const stepsOf = (item: TranscriptItem): number =>
  isPattern(item) ? item.times * item.items.reduce((sum, inner) => sum + stepsOf(inner), 0) : item.count;

/** Rows that an item shows. */
export const rowsOf = (item: TranscriptItem): number =>
  isPattern(item) ? item.items.reduce((sum, inner) => sum + rowsOf(inner), 0) : 1;

export type Row = { -readonly [K in keyof TranscriptRow]: TranscriptRow[K] };

/** A pattern while it grows. */
export interface Pattern {
  times: number;
  items: Item[];
  /** All rows below it, in order, and the bytes of the hull of each in one turn. */
  rows: Row[];
  turnBytes: (number | null)[];
}

export type Item = Row | Pattern;

/** Most items of a pattern: accepting one 2 MiB unit from 4 KiB pages is eight. */
export const LONGEST_PATTERN = 12;

/** Turns a pattern must come before it is folded: twice may be chance, and two turns read well. */
const TURNS = 3;

export const rowOf = (event: TraceEvent, line: number): Row => ({
  step: event.step,
  ns: event.ns,
  endNs: event.ns,
  actor: event.actor,
  vcpu: event.vcpu,
  what: event.what,
  start: event.start,
  end: event.end,
  status: event.status,
  stateAfter: event.stateAfter,
  count: event.count ?? 1,
  line: event.line ?? line,
});

/** Equal but for place and time. */
export const sameDeed = (row: Row, event: TraceEvent, line: number): boolean =>
  row.what === event.what &&
  row.status === event.status &&
  row.actor === event.actor &&
  row.vcpu === event.vcpu &&
  row.stateAfter === event.stateAfter &&
  row.line === (event.line ?? line);

/** Right behind, right before (unplug goes downward), or the same memory again. */
export const adjoins = (row: Row, event: TraceEvent): boolean =>
  row.end === event.start || row.start === event.end || (event.start === row.start && event.end === row.end);

interface Span {
  readonly start: number | null;
  readonly end: number | null;
}

export const bytesOf = ({ start, end }: Span): number | null => (start === null ? null : end! - start);

/** A later turn is about the same memory, or about memory on either side of it, never inside. */
export const advances = (row: Span, next: Span): boolean => {
  if (row.start === null || next.start === null) return row.start === next.start;
  return next.start >= row.end! || next.end! <= row.start || next.start === row.start;
};

/** Widens a row by a later one. */
export const absorb = (row: Row, start: number | null, end: number | null, endNs: number): void => {
  row.endNs = endNs;
  if (row.start === null || start === null) return;
  row.start = Math.min(row.start, start);
  row.end = Math.max(row.end!, end!);
};

const flat = (item: Item): Row[] => ("items" in item ? item.rows : [item]);

const sameShape = (a: Item, b: Item): boolean => {
  if ("items" in a) {
    if (!("items" in b) || a.times !== b.times || a.items.length !== b.items.length) return false;
    return a.items.every((item, i) => sameShape(item, b.items[i]!));
  }
  return !("items" in b) && a.count === b.count && sameDeed(a, b, b.line);
};

/** True if `next` is another turn of `item`, whose rows have the bytes in a turn that stand from `first` on. */
const isTurn = (item: Item, next: Item, turnBytes: readonly (number | null)[], first: number): boolean => {
  if (!sameShape(item, next)) return false;
  const rows = flat(item);
  return flat(next).every((row, i) => bytesOf(row) === turnBytes[first + i] && advances(rows[i]!, row));
};

/** True if `next` is another turn of `item`, which is one turn itself. */
const isNextTurn = (item: Item, next: Item): boolean => {
  if ("items" in item) return isTurn(item, next, item.rows.map(bytesOf), 0);
  if ("items" in next || !sameShape(item, next)) return false;
  return bytesOf(item) === bytesOf(next) && advances(item, next);
};

const absorbItem = (item: Item, next: Item): void => {
  const rows = flat(item);
  for (const [i, { start, end, endNs }] of flat(next).entries()) absorb(rows[i]!, start, end, endNs);
};

/** Folds the end of `list`: into the pattern before it, or into a new pattern. */
export const foldEnd = (list: Item[]): void => {
  for (let length = 1; length <= LONGEST_PATTERN && length < list.length; length++) {
    if (joinPattern(list, length) || makePattern(list, length)) return;
  }
};

const joinPattern = (list: Item[], length: number): boolean => {
  const first = list.length - length;
  const pattern = list[first - 1]!;
  if (!("items" in pattern) || pattern.items.length !== length) return false;
  let row = 0;
  for (let i = 0; i < length; i++) {
    if (!isTurn(pattern.items[i]!, list[first + i]!, pattern.turnBytes, row)) return false;
    row += flat(pattern.items[i]!).length;
  }
  for (let i = 0; i < length; i++) absorbItem(pattern.items[i]!, list[first + i]!);
  pattern.times++;
  list.length = first;
  return true;
};

const makePattern = (list: Item[], length: number): boolean => {
  const first = list.length - TURNS * length;
  if (first < 0) return false;
  for (let i = list.length - 1; i >= first + length; i--) {
    if (!isNextTurn(list[i - length]!, list[i]!)) return false;
  }
  const items = list.slice(first, first + length);
  const rows = items.flatMap(flat);
  const turnBytes = rows.map(bytesOf);
  for (let i = first + length; i < list.length; i++) absorbItem(items[(i - first) % length]!, list[i]!);
  list.length = first;
  list.push({ times: TURNS, items, rows, turnBytes });
  return true;
};
