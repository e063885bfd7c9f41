/** Host memory [start, end) in bytes, and the NUMA node that it belongs to. */
export interface MemoryRange {
  readonly start: number;
  readonly end: number;
  readonly node: number;
}

/** A run of bytes, end exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Bytes of [start, end) that lie in one of the ranges, which do not overlap. */
export const bytesInside = (ranges: readonly ByteRange[], start: number, end: number): number =>
  ranges.reduce(
    (sum, range) => sum + Math.max(0, Math.min(end, range.end) - Math.max(start, range.start)),
    0,
  );

/** `0x` and hexadecimal digits without leading zeros, as %#llx prints. */
export const hexAddress = (value: number): string => `0x${value.toString(16)}`;
