import { MIB, roundDown } from "../../units.ts";
import type { GuestRam } from "../guest-ram/guest-ram.ts";
import type { Span } from "../span.ts";
import type { GdbClient } from "../wire/gdb-client.ts";
import { DirectMapPages, type PageTables } from "./direct-map-pages.ts";
import { type RangeChange, RangeSet } from "./range-set.ts";

const UNIT = 2 * MIB;

/** The debugger's part in it. */
type Watchpoints = Pick<GdbClient, "batch" | "setWatchpoint" | "clearWatchpoint">;

export interface WatchControl {
  readonly gdb: Watchpoints;
  /** Does something while the guest stands still. */
  whileStopped<T>(work: (gdb: Watchpoints) => Promise<T>): Promise<T>;
}

/**
 * Catches the first access through the kernel's direct mapping to exactly the memory that the guest may not touch.
 *
 * By watchpoints, which stop the guest after the access, and which take a stop of more than a millisecond each time
 * they change. And, for what is mapped by large pages and was never touched, by pages that are absent from the
 * mapping: they fault before the access, and come back without a stop.
 *
 * It does not see user mappings, device DMA, the identity map and page walks: those the audit of the memory files sees.
 */
export class DirectMapWatch {
  private readonly control: WatchControl;
  /** What watchpoints are over, or will be once the mapping is known. */
  private readonly watched = new RangeSet();
  private readonly absent: DirectMapPages;
  /**
   * Parts of units that may be touched: the rest of the unit may not, so the whole is still absent or watched. A guest
   * that accepts page by page would be stopped for each otherwise.
   */
  private readonly parts = new RangeSet();
  private base: bigint | undefined;

  constructor(control: WatchControl, ram: Pick<GuestRam, "has" | "read" | "write">) {
    this.control = control;
    this.absent = new DirectMapPages(ram);
  }

  /** Arms what was forbidden so far. The guest must stand still. @param base virtual address of the direct mapping */
  async arm(base: bigint): Promise<void> {
    this.base = base;
    await this.apply(this.control.gdb, { removed: [], added: this.watched.ranges });
  }

  /** Makes absent what can be, of what is forbidden so far, and nobody has touched. The guest must stand still. */
  async withdraw(tables: PageTables): Promise<void> {
    const { base } = this;
    if (base === undefined) return;
    const before = this.watched.ranges;
    this.giveWatchedParts({ start: 0, end: Number.POSITIVE_INFINITY });
    for (const range of this.watched.ranges) this.absent.withdraw(range, tables, base);
    for (const { start, end } of this.absent.ranges) this.watched.subtract(start, end);
    const after = this.watched.ranges;
    await this.apply(this.control.gdb, differenceOf(before, after));
  }

  /** Takes every watchpoint away and keeps in mind what is forbidden: a new kernel decides anew where to map it. */
  async disarm(): Promise<void> {
    await this.apply(this.control.gdb, { removed: this.watched.ranges, added: [] });
    this.base = undefined;
    for (const { start, end } of this.absent.forget()) this.watched.add(start, end);
    for (const { start, end } of this.parts.ranges) {
      this.watched.subtract(start, end);
      this.parts.subtract(start, end);
    }
  }

  /** Whether any of [start, end) is forbidden. */
  covers(start: number, end: number): boolean {
    const meets = (range: Span): boolean => range.start < end && start < range.end;
    return this.watched.ranges.some(meets) || this.absent.ranges.some(meets);
  }

  /** From now on an access to [start, end) is caught. */
  async forbid(start: number, end: number): Promise<void> {
    this.parts.subtract(start, end);
    const rest = new RangeSet();
    rest.add(start, end);
    for (const range of this.absent.ranges) rest.subtract(range.start, range.end);
    for (const range of rest.ranges) await this.change(this.watched.add(range.start, range.end));
  }

  /** An access to [start, end) may be made, though one to a part of a unit may still stop the guest. */
  async allow(start: number, end: number): Promise<void> {
    this.restore(start, end);
    if (this.base === undefined) this.watched.subtract(start, end);
    else await this.change(this.allowWatched(start, end));
  }

  /** Of watched units those are let go of which all may be touched now; of others the parts are noted. */
  private allowWatched(start: number, end: number): RangeChange {
    let [from, to] = [start, end];
    for (const unit of new Set([roundDown(start, UNIT), roundDown(end - 1, UNIT)])) {
      if (start <= unit && unit + UNIT <= end) continue;
      const rest = this.watchedIn(unit);
      if (rest.ranges.length === 0) continue;
      this.parts.add(Math.max(start, unit), Math.min(end, unit + UNIT));
      for (const part of this.parts.ranges) rest.subtract(part.start, part.end);
      const isWhole = rest.ranges.length === 0;
      if (unit <= start) from = isWhole ? unit : unit + UNIT;
      if (unit + UNIT >= end) to = isWhole ? unit + UNIT : unit;
      if (isWhole) this.parts.subtract(unit, unit + UNIT);
    }
    return this.watched.subtract(from, to);
  }

  /** What is watched of a unit. */
  private watchedIn(unit: number): RangeSet {
    const set = new RangeSet();
    for (const { start, end } of this.watched.ranges)
      set.add(Math.max(start, unit), Math.min(end, unit + UNIT));
    return set;
  }

  /** The same for a guest that stands still already. */
  async allowNow(start: number, end: number): Promise<void> {
    this.restore(start, end);
    for (let unit = roundDown(start, UNIT); unit < end; unit += UNIT)
      if (!this.absent.has(unit)) this.parts.subtract(Math.max(start, unit), Math.min(end, unit + UNIT));
    await this.apply(this.control.gdb, this.watched.subtract(start, end));
  }

  /** What the direct mapping has at a virtual address above its start; undefined before that is known. */
  gpaOf(address: bigint): number | undefined {
    return this.base === undefined || address < this.base ? undefined : Number(address - this.base);
  }

  /** Where a watched range starts, by the address that a stop names. */
  rangeAt(address: bigint): Span | undefined {
    if (this.base === undefined) return undefined;
    const gpa = address - this.base;
    return this.watched.ranges.find(({ start }) => BigInt(start) === gpa);
  }

  /** What an access to an absent page was meant for; undefined if the page at a virtual address is not absent. */
  absentAt(address: bigint): number | undefined {
    const gpa = this.gpaOf(address);
    return gpa !== undefined && this.absent.has(gpa) ? gpa : undefined;
  }

  /**
   * Whether an absent page at `gpa` may be touched, as a part of a unit that is forbidden elsewhere. If so it is
   * present from now on, and the rest of its unit is watched. The guest must stand still.
   */
  async givePart(gpa: number): Promise<boolean> {
    if (!this.parts.has(gpa)) return false;
    const unit = { start: roundDown(gpa, UNIT), end: roundDown(gpa, UNIT) + UNIT };
    const rest = new RangeSet();
    rest.add(unit.start, unit.end);
    for (const { start, end } of this.parts.ranges) rest.subtract(start, end);
    for (const { start, end } of rest.ranges)
      await this.apply(this.control.gdb, this.watched.add(start, end));
    this.restore(unit.start, unit.end);
    return true;
  }

  /**
   * Lets go of the parts of a watched range that may be touched. The guest must stand still.
   *
   * @returns whether there were any
   */
  async giveParts(range: Span): Promise<boolean> {
    const before = this.watched.ranges;
    this.giveWatchedParts(range);
    const after = this.watched.ranges;
    await this.apply(this.control.gdb, differenceOf(before, after));
    return after !== before;
  }

  private giveWatchedParts(within: Span): void {
    for (const part of this.parts.ranges)
      for (const watched of this.watched.ranges) {
        const start = Math.max(part.start, watched.start, within.start);
        const end = Math.min(part.end, watched.end, within.end);
        if (start >= end) continue;
        this.watched.subtract(start, end);
        this.parts.subtract(start, end);
      }
  }

  /** Of absent units those come back of which all may be touched now; of others the parts are noted. */
  private restore(start: number, end: number): void {
    for (let unit = roundDown(start, UNIT); unit < end; unit += UNIT) {
      if (!this.absent.has(unit)) continue;
      this.parts.add(Math.max(start, unit), Math.min(end, unit + UNIT));
      if (!this.parts.ranges.some((part) => part.start <= unit && unit + UNIT <= part.end)) continue;
      this.absent.restore(unit, unit + UNIT);
      this.parts.subtract(unit, unit + UNIT);
    }
  }

  private async change(change: RangeChange): Promise<void> {
    if (this.base === undefined || change.removed.length + change.added.length === 0) return;
    await this.control.whileStopped((gdb) => this.apply(gdb, change));
  }

  private async apply(gdb: Watchpoints, { removed, added }: RangeChange): Promise<void> {
    const { base } = this;
    if (base === undefined) return;
    await gdb.batch(() =>
      Promise.all([
        ...removed.map(({ start, end }) => gdb.clearWatchpoint("access", base + BigInt(start), end - start)),
        ...added.map(({ start, end }) => gdb.setWatchpoint("access", base + BigInt(start), end - start)),
      ]),
    );
  }
}

/** What became of a set's ranges; those that stayed are the same objects. */
const differenceOf = (before: readonly Span[], after: readonly Span[]): RangeChange => ({
  removed: before.filter((range) => !after.includes(range)),
  added: after.filter((range) => !before.includes(range)),
});
