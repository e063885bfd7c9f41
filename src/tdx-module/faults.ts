import { RCX, type Regs } from "../abi/tdx/regs.ts";
import { type Status, statusName } from "../abi/tdx/status.ts";
import { assert } from "../assert.ts";
import { type FlatRange, range } from "../flat/flat-range.ts";
import { reportEntry } from "./entry-report.ts";
import type { TdxModule } from "./module.ts";

const MAX_FAULTS = 8;
/** Guest leaves and host leaves share one list: a host leaf's key is its number plus this. */
const HOST = 0x1_0000;

/** Answers that the next call of a leaf gives instead of its own. Each is used up by one call. */
export class Faults {
  private readonly words = new Uint32Array(1);
  /** Pairs: leaf key, status. */
  private readonly pairs = new Float64Array(2 * MAX_FAULTS);

  /** The next TDCALL of `leaf` answers `status` and does nothing. Several for one leaf are used in order. */
  nextTdcall(leaf: number, status: Status): void {
    this.add(leaf, status);
  }
  /** The next SEAMCALL of `leaf` answers `status` and does nothing. */
  nextSeamcall(leaf: number, status: Status): void {
    this.add(HOST + leaf, status);
  }

  private add(key: number, status: Status): void {
    const count = this.words[0]!;
    assert(count < MAX_FAULTS, () => `at most ${MAX_FAULTS} faults wait at once`);
    this.pairs[2 * count] = key;
    this.pairs[2 * count + 1] = status;
    this.words[0] = count + 1;
  }

  get any(): boolean {
    return this.words[0] !== 0;
  }

  /** Takes the status that the call must answer, or -1. */
  takeTdcall(leaf: number): number {
    return this.take(leaf);
  }
  takeSeamcall(leaf: number): number {
    return this.take(HOST + leaf);
  }

  private take(key: number): number {
    const count = this.words[0]!;
    for (let i = 0; i < count; i++) {
      if (this.pairs[2 * i] !== key) continue;
      const status = this.pairs[2 * i + 1]!;
      this.pairs.copyWithin(2 * i, 2 * i + 2, 2 * count);
      this.pairs.fill(0, 2 * count - 2, 2 * count);
      this.words[0] = count - 1;
      return status;
    }
    return -1;
  }

  flat(): readonly FlatRange[] {
    return [range(this.words, 1), range(this.pairs, 2 * MAX_FAULTS)];
  }
  reserve(): void {
    // Fixed lengths: there is nothing to make room for.
  }
}

/**
 * A SEAMCALL that is made to answer `refusal` about an entry tells of that entry as the real refusal would:
 * its state is what it is.
 */
export const tellFault = (m: TdxModule, regs: Regs, refusal: Status): Status => {
  if (!/^(EPT|GPA_RANGE)_/.test(statusName(refusal))) return refusal;
  const lo = regs[2 * RCX]! | 0;
  m.td.sept.walk(lo, regs[2 * RCX + 1]! | 0, lo & 7);
  reportEntry(m.td.sept, regs);
  return refusal;
};
