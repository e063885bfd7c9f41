import type { CpuControl } from "../cpu/cpu-control.ts";
import type { Span } from "../span.ts";
import type { GdbClient } from "../wire/gdb-client.ts";
import { type RangeChange, RangeSet } from "./range-set.ts";

/**
 * Watchpoints over the kernel's direct mapping of exactly the memory that the guest may not touch. The first access
 * to it stops the guest, after the access.
 *
 * It does not see user mappings, device DMA, the identity map and page walks: those the audit of the memory files sees.
 */
export class DirectMapWatch {
  private readonly control: CpuControl;
  private readonly set = new RangeSet();
  private base: bigint | undefined;

  constructor(control: CpuControl) {
    this.control = control;
  }

  get ranges(): readonly Span[] {
    return this.set.ranges;
  }

  /** Arms what was forbidden so far. The guest must stand still. @param base virtual address of the direct mapping */
  async arm(base: bigint): Promise<void> {
    this.base = base;
    await this.apply(this.control.gdb, { removed: [], added: this.set.ranges });
  }

  /** Takes every watchpoint away and keeps in mind what is forbidden: a new kernel decides anew where to map it. */
  async disarm(): Promise<void> {
    await this.apply(this.control.gdb, { removed: this.set.ranges, added: [] });
    this.base = undefined;
  }

  /** Whether any of [start, end) is watched. */
  covers(start: number, end: number): boolean {
    return this.set.ranges.some((range) => range.start < end && start < range.end);
  }

  /** From now on an access to [start, end) stops the guest. */
  forbid(start: number, end: number): Promise<void> {
    return this.change(this.set.add(start, end));
  }

  allow(start: number, end: number): Promise<void> {
    return this.change(this.set.subtract(start, end));
  }

  /** The same for a guest that stands still already. */
  async allowNow(start: number, end: number): Promise<void> {
    await this.apply(this.control.gdb, this.set.subtract(start, end));
  }

  /** Where a watched range starts, by the address that a stop names. */
  rangeAt(address: bigint): Span | undefined {
    if (this.base === undefined) return undefined;
    const gpa = address - this.base;
    return this.set.ranges.find(({ start }) => BigInt(start) === gpa);
  }

  private async change(change: RangeChange): Promise<void> {
    if (this.base === undefined || change.removed.length + change.added.length === 0) return;
    await this.control.whileStopped((gdb) => this.apply(gdb, change));
  }

  private async apply(gdb: GdbClient, { removed, added }: RangeChange): Promise<void> {
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
