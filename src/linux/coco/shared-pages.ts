import { NotModelled } from "../../not-modelled.ts";

const CAPACITY = 256;

/**
 * Which memory the kernel maps shared with its host: ranges of bytes, disjoint, in no order. The kernel itself keeps this in
 * its page tables, where it looks for the shared bit.
 *
 * @missing more than 256 ranges at once
 */
export class SharedPages {
  readonly starts = new Float64Array(CAPACITY);
  readonly ends = new Float64Array(CAPACITY);
  /** [0]: ranges there are. */
  readonly words = new Float64Array(1);

  get count(): number {
    return this.words[0]!;
  }

  /** Adds a range of which nothing is shared yet. */
  add(start: number, end: number): void {
    if (this.count === CAPACITY) throw new NotModelled(`more than ${CAPACITY} ranges of shared memory`);
    this.starts[this.count] = start;
    this.ends[this.words[0]!++] = end;
  }

  /** Takes [start, end) out of whatever ranges hold parts of it. */
  remove(start: number, end: number): void {
    for (let row = this.count - 1; row >= 0; row--) {
      const [from, to] = [this.starts[row]!, this.ends[row]!];
      if (to <= start || end <= from) continue;
      const last = --this.words[0]!;
      this.starts[row] = this.starts[last]!;
      this.ends[row] = this.ends[last]!;
      if (from < start) this.add(from, start);
      if (end < to) this.add(end, to);
    }
  }

  /** Whether the byte at an address is mapped shared. */
  has(address: number): boolean {
    for (let row = 0; row < this.count; row++)
      if (this.starts[row]! <= address && address < this.ends[row]!) return true;
    return false;
  }

  /** The arrays that a snapshot copies. */
  views(): ArrayBufferView[] {
    return [this.starts, this.ends, this.words];
  }
}
