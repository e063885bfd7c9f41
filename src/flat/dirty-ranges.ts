import { assert } from "../assert.ts";

/**
 * Half-open ranges of unit numbers that changed since somebody last looked. The numbers fit 32 bits.
 *
 * Neighbouring changes fold into one range, so a long run of accepts is one entry. When the list is
 * full the nearest thing to forget is nothing: the last range widens to cover the new one.
 */
export class DirtyRanges {
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  private readonly words = new Int32Array(1);

  constructor(capacity = 64) {
    assert(capacity >= 1, "a dirty list holds at least one range");
    this.starts = new Uint32Array(capacity);
    this.ends = new Uint32Array(capacity);
  }

  /** Ranges in the list. */
  get count(): number {
    return this.words[0]!;
  }

  add(start: number, end: number): void {
    const last = this.count - 1;
    if (last >= 0 && start <= this.ends[last]! && this.starts[last]! <= end) this.widen(last, start, end);
    else if (last + 1 === this.starts.length) this.widen(last, start, end);
    else {
      this.starts[last + 1] = start;
      this.ends[last + 1] = end;
      this.words[0] = last + 2;
    }
  }

  views(): ArrayBufferView[] {
    return [this.starts, this.ends, this.words];
  }

  clear(): void {
    this.words[0] = 0;
  }

  private widen(index: number, start: number, end: number): void {
    if (start < this.starts[index]!) this.starts[index] = start;
    if (end > this.ends[index]!) this.ends[index] = end;
  }
}
