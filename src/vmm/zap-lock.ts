import { assert } from "../assert.ts";

const OWNER = 0;
const FROM = 1;
const TO = 2;

/**
 * The lock under which KVM removes or splits mappings, and the guest frames it does that to. Faults there wait
 * until it is given back.
 *
 * @source KVM, mmu_lock held for writing and mmu_invalidate_begin
 */
export class ZapLock {
  /** Task that holds it + 1 (0: free), first frame, frame behind the last. */
  readonly words = new Float64Array(3);

  /** @returns whether the lock was free */
  take(task: number, from: number, to: number): boolean {
    if (this.words[OWNER] !== 0) return false;
    this.words[OWNER] = task + 1;
    this.words[FROM] = from;
    this.words[TO] = to;
    return true;
  }

  give(): void {
    assert(this.words[OWNER] !== 0, "only a lock that is held is given back");
    this.words.fill(0);
  }

  covers(frame: number): boolean {
    return this.words[FROM]! <= frame && frame < this.words[TO]!;
  }
}
