import type { InvariantId } from "./table.ts";

/** An invariant that did not hold: after which step, where, and which of its terms was false. */
export interface Violation {
  readonly invariant: InvariantId;
  readonly step: number;
  /** Guest-physical bytes, half open; equal where the invariant has no place. */
  readonly start: number;
  readonly end: number;
  readonly why: string;
}

/** Violations of one invariant that are kept; more of the same are only counted. */
const KEPT = 32;

/** What was seen so far, in the order it was first seen. A violation that lasts is reported once. */
export class Violations {
  readonly all: Violation[] = [];
  /** Violations that were not kept, by invariant. */
  readonly more = new Map<InvariantId, number>();
  private readonly kept = new Map<InvariantId, number>();
  private readonly known = new Set<string>();
  /** Place in `all` of the newest violation with an invariant and a reason. */
  private readonly newest = new Map<string, number>();

  /** As if nothing had been seen. */
  clear(): void {
    this.all.length = 0;
    for (const known of [this.more, this.kept, this.known, this.newest]) known.clear();
  }

  /**
   * Adds what is not known yet. A place next to the newest one with the same reason widens it, whatever
   * step it was seen after: a design that never accepts breaks a rule once, and not once a unit.
   */
  add(invariant: InvariantId, step: number, start: number, end: number, why: string): void {
    const key = `${invariant} ${start} ${why}`;
    if (this.known.has(key)) return;
    this.known.add(key);
    const reason = `${invariant} ${why}`;
    const index = this.newest.get(reason);
    const last = index === undefined ? undefined : this.all[index]!;
    if (last !== undefined && start < end && last.end === start) {
      this.all[index!] = { ...last, end };
      return;
    }
    const count = (this.kept.get(invariant) ?? 0) + 1;
    this.kept.set(invariant, count);
    if (count > KEPT) {
      this.more.set(invariant, count - KEPT);
      return;
    }
    this.newest.set(reason, this.all.length);
    this.all.push({ invariant, step, start, end, why });
  }
}
