import { ERRNO } from "../errno.ts";

interface Entry {
  readonly start: number;
  readonly end: number;
  readonly type: string;
}

/**
 * /sys/firmware/memmap: the memory map as firmware gave it, plus memory added as plain "System RAM". Tools
 * that load the next kernel give it this map, so memory listed here is boot RAM there.
 *
 * Rows of numbers; types are interned. Addresses are bytes, ends are exclusive here and inclusive in sysfs.
 *
 * @source Linux drivers/firmware/memmap.c
 */
export class FirmwareMap {
  starts = new Float64Array(32);
  ends = new Float64Array(32);
  types = new Int32Array(32);
  /** [0]: rows in use. */
  readonly words = new Int32Array(1);
  private readonly interned: string[] = [];

  add(start: number, end: number, type: string): void {
    const row = this.words[0]!++;
    if (row === this.starts.length) this.grow();
    let known = this.interned.indexOf(type);
    if (known < 0) known = this.interned.push(type) - 1;
    this.starts[row] = start;
    this.ends[row] = end;
    this.types[row] = known;
  }

  /** @returns 0, or -EINVAL when no entry is exactly that */
  remove(start: number, end: number, type: string): number {
    const count = this.words[0]!;
    for (let row = 0; row < count; row++) {
      if (this.starts[row] !== start || this.ends[row] !== end) continue;
      if (this.interned[this.types[row]!] !== type) continue;
      this.starts.copyWithin(row, row + 1, count);
      this.ends.copyWithin(row, row + 1, count);
      this.types.copyWithin(row, row + 1, count);
      this.words[0] = count - 1;
      return 0;
    }
    return ERRNO.EINVAL;
  }

  /** Entries in the order of their sysfs directories. */
  entries(): Entry[] {
    return Array.from({ length: this.words[0]! }, (_, row) => ({
      start: this.starts[row]!,
      end: this.ends[row]!,
      type: this.interned[this.types[row]!]!,
    }));
  }

  views(): ArrayBufferView[] {
    return [this.starts, this.ends, this.types, this.words];
  }

  private grow(): void {
    const rows = this.starts.length * 2;
    const starts = new Float64Array(rows);
    const ends = new Float64Array(rows);
    const types = new Int32Array(rows);
    starts.set(this.starts);
    ends.set(this.ends);
    types.set(this.types);
    this.starts = starts;
    this.ends = ends;
    this.types = types;
  }
}
