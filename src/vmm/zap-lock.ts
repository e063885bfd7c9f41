import { assert } from "../assert.ts";

const OWNER = 0;
const FROM = 1;
const TO = 2;
const READERS = 3;

/**
 * The lock under which KVM removes or splits mappings, and the guest frames it does that to. Faults there wait
 * until it is given back.
 *
 * A fault that takes more than one step holds it for reading from the first to the last: pages are not removed meanwhile.
 *
 * @source KVM, mmu_lock and mmu_invalidate_begin
 */
export class ZapLock {
  /** Task that holds it + 1 (0: free), first frame, frame behind the last; faults that hold it for reading. */
  readonly words = new Float64Array(4);

  /** @returns whether the lock was free */
  take(task: number, from: number, to: number): boolean {
    if (this.words[OWNER] !== 0 || this.words[READERS] !== 0) return false;
    this.words[OWNER] = task + 1;
    this.words[FROM] = from;
    this.words[TO] = to;
    return true;
  }

  give(): void {
    assert(this.words[OWNER] !== 0, "only a lock that is held is given back");
    this.words.fill(0, OWNER, READERS);
  }

  /** A fault is in the middle of mapping a page that nobody removes before it is done. */
  read(): void {
    this.words[READERS]!++;
  }

  unread(): void {
    assert(this.words[READERS]! > 0, "only a fault that reads ends to");
    this.words[READERS]!--;
  }

  covers(frame: number): boolean {
    return this.words[FROM]! <= frame && frame < this.words[TO]!;
  }
}
