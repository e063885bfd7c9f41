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

/** What was seen so far, in the order it was seen. A violation that lasts is reported once. */
export class Violations {
  readonly all: Violation[] = [];
  /** Violations that were not kept, by invariant. */
  readonly more = new Map<InvariantId, number>();
  private readonly kept = new Map<InvariantId, number>();
  private readonly known = new Set<string>();

  /** Neighbouring places with the same reason in the same step become one violation. */
  add(invariant: InvariantId, step: number, start: number, end: number, why: string): void {
    const key = `${invariant} ${start} ${why}`;
    if (this.known.has(key)) return;
    this.known.add(key);
    const index = this.all.length - 1;
    const last = this.all[index];
    if (
      last !== undefined &&
      last.invariant === invariant &&
      last.step === step &&
      last.end === start &&
      last.why === why
    ) {
      this.all[index] = { ...last, end };
      return;
    }
    const count = (this.kept.get(invariant) ?? 0) + 1;
    if (count > KEPT) {
      this.more.set(invariant, (this.more.get(invariant) ?? 0) + 1);
      return;
    }
    this.kept.set(invariant, count);
    this.all.push({ invariant, step, start, end, why });
  }
}
