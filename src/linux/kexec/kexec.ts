/** Slots of `Kexec.words`. Addresses are bytes, ends are exclusive. */
export const KEXEC = {
  /** Segments of the loaded image; 0: none is loaded. */
  COUNT: 0,
  /** 1: the image is there to run after a crash and lies at its destinations already. */
  ON_CRASH: 1,
  /** Memory kept for a crash kernel; both 0: none is. */
  CRASH_START: 2,
  CRASH_END: 3,
  /** 1 once conversions between private and shared are stopped for good. */
  CONVERSIONS_STOPPED: 4,
  /** Bytes of /proc/vmcore that were read from memory, and those that came back as zeroes instead. */
  DUMP_READ: 5,
  DUMP_ZEROES: 6,
} as const;

/** KEXEC_SEGMENT_MAX. @source Linux include/uapi/linux/kexec.h */
export const MOST_SEGMENTS = 16;

/** What the kernel has loaded to be started next, and what it keeps for that. */
export class Kexec {
  /** Destinations of the segments, in the order in which they were loaded. */
  readonly starts = new Float64Array(MOST_SEGMENTS);
  readonly ends = new Float64Array(MOST_SEGMENTS);
  readonly words = new Float64Array(Object.keys(KEXEC).length);

  get count(): number {
    return this.words[KEXEC.COUNT]!;
  }

  has(flag: number): boolean {
    return this.words[flag] !== 0;
  }

  /** Whether [start, end) and the destination of a segment overlap. */
  overlaps(start: number, end: number): boolean {
    for (let row = 0; row < this.count; row++)
      if (this.starts[row]! < end && start < this.ends[row]!) return true;
    return false;
  }

  /** Adds a segment behind the others. */
  add(start: number, end: number): void {
    const row = this.words[KEXEC.COUNT]!++;
    this.starts[row] = start;
    this.ends[row] = end;
  }

  /** Drops the loaded image. */
  clear(): void {
    this.words[KEXEC.COUNT] = 0;
    this.words[KEXEC.ON_CRASH] = 0;
  }

  /** The arrays that a snapshot copies. */
  views(): ArrayBufferView[] {
    return [this.starts, this.ends, this.words];
  }
}
