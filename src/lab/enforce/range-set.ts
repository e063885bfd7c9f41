import type { Span } from "../span.ts";

/** What a change of a range set takes away and puts in its place. */
export interface RangeChange {
  readonly removed: readonly Span[];
  readonly added: readonly Span[];
}

const NOTHING: RangeChange = { removed: [], added: [] };

/** A set of bytes as few ranges, ascending, none touching the next. */
export class RangeSet {
  private list: readonly Span[] = [];

  get ranges(): readonly Span[] {
    return this.list;
  }

  has(at: number): boolean {
    return this.list.some(({ start, end }) => start <= at && at < end);
  }

  /** Adds [start, end). @returns which ranges went and came for it */
  add(start: number, end: number): RangeChange {
    if (start >= end || this.list.some((range) => range.start <= start && end <= range.end)) return NOTHING;
    const removed = this.list.filter((range) => range.start <= end && start <= range.end);
    const whole = {
      start: Math.min(start, ...removed.map((range) => range.start)),
      end: Math.max(end, ...removed.map((range) => range.end)),
    };
    return this.replace(removed, [whole]);
  }

  /** Takes [start, end) out. @returns which ranges went and came for it */
  subtract(start: number, end: number): RangeChange {
    if (start >= end) return NOTHING;
    const removed = this.list.filter((range) => range.start < end && start < range.end);
    if (removed.length === 0) return NOTHING;
    const rest = removed.flatMap((range) => [
      { start: range.start, end: start },
      { start: end, end: range.end },
    ]);
    return this.replace(
      removed,
      rest.filter((range) => range.start < range.end),
    );
  }

  private replace(removed: readonly Span[], added: readonly Span[]): RangeChange {
    const kept = this.list.filter((range) => !removed.includes(range));
    this.list = [...kept, ...added].sort((a, b) => a.start - b.start);
    return { removed, added };
  }
}
