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
  readonly start: number | null;
  readonly end: number | null;
  readonly status: string;
  readonly stateAfter: string | null;
  /** Deeds the row stands for in each turn of its group. */
  readonly count: number;
  /** Line of the scenario, 0 if none. */
  readonly line: number;
}

/** Rows that came `times` times in a row, advancing; the range of each is the hull of all its turns. */
export interface TranscriptGroup {
  readonly times: number;
  readonly rows: readonly TranscriptRow[];
}

/** What happened during one step of the scenario. Rows in the middle of a long one are counted, not kept. */
export interface TranscriptSection {
  readonly line: number;
  readonly head: readonly TranscriptGroup[];
  /** Rows and machine steps between head and tail that were not kept. */
  readonly leftOut: { readonly rows: number; readonly steps: number };
  readonly tail: readonly TranscriptGroup[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Row = Mutable<TranscriptRow>;
interface Group {
  times: number;
  rows: Row[];
  /** Bytes of one turn of each row of a pattern. */
  bytes: (number | null)[];
}

/** Longest pattern looked for: accept with two page sizes around a lock is five rows. */
const LONGEST_PATTERN = 8;

const copyEvent = (event: TraceEvent, line: number): Row => ({
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

const sameDeed = (row: Row, event: TraceEvent, line: number): boolean =>
  row.actor === event.actor &&
  row.what === event.what &&
  row.vcpu === event.vcpu &&
  row.status === event.status &&
  row.stateAfter === event.stateAfter &&
  row.line === (event.line ?? line);

/** Right behind, right before (unplug goes downward), or the same memory again. */
const adjoins = (row: Row, event: TraceEvent): boolean =>
  row.end === event.start || row.start === event.end || (event.start === row.start && event.end === row.end);

/** Equal but for place and time, and as long. */
const sameShape = (a: Row, b: Row): boolean =>
  a.what === b.what &&
  a.actor === b.actor &&
  a.vcpu === b.vcpu &&
  a.status === b.status &&
  a.stateAfter === b.stateAfter &&
  a.count === b.count &&
  a.line === b.line;

const bytesOf = (row: Row): number | null => (row.start === null ? null : row.end! - row.start);

/** Widens a row by a later one. The range grows to the hull of both. */
const absorb = (row: Row, later: Row): void => {
  row.endNs = later.endNs;
  if (row.start === null || later.start === null) return;
  row.start = Math.min(row.start, later.start);
  row.end = Math.max(row.end!, later.end!);
};

const KEPT_HEAD = 400;
const KEPT_TAIL = 100;

/** Folds the rows of one section as they come, in memory that does not grow with their number. */
class SectionFold {
  readonly line: number;
  private readonly head: Group[] = [];
  private tail: Group[] = [];
  private leftOutRows = 0;
  private leftOutSteps = 0;
  private open: Row | undefined;

  constructor(line: number) {
    this.line = line;
  }

  add(event: TraceEvent): void {
    const open = this.open;
    if (open !== undefined && sameDeed(open, event, this.line) && adjoins(open, event)) {
      if (event.start !== null && event.start < open.start!) open.start = event.start;
      if (event.end !== null && event.end > open.end!) open.end = event.end;
      open.endNs = event.ns;
      open.count += event.count ?? 1;
      return;
    }
    this.close();
    this.open = copyEvent(event, this.line);
  }

  finish(): TranscriptSection {
    this.close();
    const leftOut = { rows: this.leftOutRows, steps: this.leftOutSteps };
    const plain = (list: Group[]) => list.map(({ times, rows }) => ({ times, rows }));
    return { line: this.line, head: plain(this.head), leftOut, tail: plain(this.tail) };
  }

  private close(): void {
    if (this.open === undefined) return;
    const list = this.tail.length === 0 && this.head.length < KEPT_HEAD ? this.head : this.tail;
    list.push({ times: 1, rows: [this.open], bytes: [] });
    this.open = undefined;
    foldEnd(list);
    if (list === this.tail && list.length > 2 * KEPT_TAIL) this.dropOldTail();
  }

  private dropOldTail(): void {
    const dropped = this.tail.slice(0, -KEPT_TAIL);
    this.tail = this.tail.slice(-KEPT_TAIL);
    for (const group of dropped) {
      this.leftOutRows += group.rows.length;
      this.leftOutSteps += group.times * group.rows.reduce((sum, row) => sum + row.count, 0);
    }
  }
}

/** Turns a pattern must come before it is folded: twice may be chance, and two rows read well. */
const TURNS = 3;

/** Folds the end of `list`: into the pattern before it, or into a new pattern. */
const foldEnd = (list: Group[]): void => {
  for (let length = 1; length <= LONGEST_PATTERN && length < list.length; length++) {
    if (list.at(-length)!.times !== 1) return;
    if (joinPattern(list, length)) return;
    if (makePattern(list, length)) return;
  }
};

const joinPattern = (list: Group[], length: number): boolean => {
  const pattern = list.at(-length - 1)!;
  if (pattern.times === 1 || pattern.rows.length !== length) return false;
  const first = list.length - length;
  for (let i = 0; i < length; i++) {
    const row = pattern.rows[i]!;
    const next = list[first + i]!.rows[0]!;
    if (!sameShape(row, next) || bytesOf(next) !== pattern.bytes[i] || !advances(row, next)) return false;
  }
  for (let i = 0; i < length; i++) absorb(pattern.rows[i]!, list[first + i]!.rows[0]!);
  pattern.times++;
  list.length = first;
  return true;
};

const makePattern = (list: Group[], length: number): boolean => {
  const first = list.length - TURNS * length;
  if (first < 0) return false;
  for (let i = list.length - 1; i >= first + length; i--) {
    const group = list[i]!;
    const before = list[i - length]!;
    if (group.times !== 1 || before.times !== 1) return false;
    const [row, earlier] = [group.rows[0]!, before.rows[0]!];
    if (!sameShape(earlier, row) || bytesOf(earlier) !== bytesOf(row) || !advances(earlier, row))
      return false;
  }
  const rows = list.slice(first, first + length).map((group) => group.rows[0]!);
  const bytes = rows.map(bytesOf);
  for (let i = first + length; i < list.length; i++) absorb(rows[(i - first) % length]!, list[i]!.rows[0]!);
  list.length = first;
  list.push({ times: TURNS, rows, bytes });
  return true;
};

/** A later turn is about the same memory, or about memory on either side of it, never inside. */
const advances = (row: Row, next: Row): boolean => {
  if (row.start === null || next.start === null) return row.start === next.start;
  return next.start >= row.end! || next.end! <= row.start || next.start === row.start;
};

/** Builds the transcript of a play: one section for each step of the scenario. */
export class TranscriptFold {
  private readonly sections: TranscriptSection[] = [];
  private current = new SectionFold(0);

  /** Starts the section of the step at `line`. */
  begin(line: number): void {
    this.finishSection();
    this.current = new SectionFold(line);
  }

  add(event: TraceEvent): void {
    this.current.add(event);
  }

  finish(): readonly TranscriptSection[] {
    this.finishSection();
    return this.sections;
  }

  private finishSection(): void {
    const section = this.current.finish();
    if (section.line > 0 || section.head.length > 0) this.sections.push(section);
    this.current = new SectionFold(0);
  }
}
