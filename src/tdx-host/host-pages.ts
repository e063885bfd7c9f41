import { assert } from "../assert.ts";
import { GIB, MIB, PAGE_SIZE, roundUp } from "../units.ts";
import type { ByteRange, MemoryRange } from "./memory-range.ts";

/** A zone of a node: its span, from the first to the last page present. */
interface Zone extends ByteRange {
  readonly node: number;
}

const DMA_END = 16 * MIB;
const DMA32_END = 4 * GIB;
const BAND = [
  { start: DMA32_END, end: 2 ** 52 },
  { start: DMA_END, end: DMA32_END },
  { start: 0, end: DMA_END },
] as const;
const ANYWHERE: ByteRange = { start: 0, end: 2 ** 52 };

/**
 * Pages of the host's page allocator: which are free or movable, and can so become part of a contiguous run.
 *
 * Everything that the host has is taken as movable until somebody here takes it.
 *
 * @source Linux mm/page_alloc.c, alloc_contig_pages
 * @missing zones of memory added later, so that no contiguous run comes from it; memory that the kernel itself holds
 *   unmovable; distances between nodes (other nodes follow in their order)
 */
export class HostPages {
  private readonly zones: readonly Zone[];
  /** Free runs, ascending, in bytes. */
  private readonly free: ByteRange[];
  private left: number;

  /** @param present memblock's memory; the first MiB of it never gets into the allocator */
  constructor(present: readonly MemoryRange[]) {
    const memory = present
      .map((range) => ({ ...range, start: Math.max(range.start, MIB) }))
      .filter(({ start, end }) => start < end);
    this.free = memory.map(({ start, end }) => ({ start, end }));
    this.left = this.free.reduce((sum, { start, end }) => sum + end - start, 0);
    const nodes = [...new Set(memory.map(({ node }) => node))];
    this.zones = nodes.flatMap((node) =>
      BAND.flatMap((band) => {
        const parts = memory
          .filter((range) => range.node === node && range.start < band.end && band.start < range.end)
          .map(({ start, end }) => ({ start: Math.max(start, band.start), end: Math.min(end, band.end) }));
        const last = parts.at(-1);
        return last === undefined ? [] : [{ node, start: parts[0]!.start, end: last.end }];
      }),
    );
  }

  /**
   * alloc_contig_pages(GFP_KERNEL): a run of `count` pages, near `node` if it can be.
   *
   * It looks at every `count`-th frame of a zone, from ALIGN(zone start, count) on. ALIGN is made for powers of two; with
   * another count it answers a frame that need not be a multiple, which does no harm.
   *
   * @returns the first byte, or -1 if there is no such run
   */
  takeContiguous(count: number, node: number): number {
    const bytes = count * PAGE_SIZE;
    const near = this.zones.filter((zone) => zone.node === node);
    for (const zone of [...near, ...this.zones.filter((other) => other.node !== node)]) {
      const at = this.firstRun(zone, alignPages(zone.start, count), bytes);
      if (at < 0) continue;
      this.take(at, at + bytes);
      return at;
    }
    return -1;
  }

  /** The lowest free run of a zone among those `from`, `from` + `bytes` and so on. It goes by free runs, not by frames. */
  private firstRun(zone: Zone, from: number, bytes: number): number {
    for (let index = this.indexOf(Math.max(zone.start, from)); index < this.free.length; index++) {
      const { start, end } = this.free[index]!;
      const steps = Math.ceil((Math.max(start, zone.start) - from) / bytes);
      const at = from + Math.max(0, steps) * bytes;
      if (at + bytes > zone.end) return -1;
      if (at + bytes <= end) return at;
    }
    return -1;
  }

  /**
   * Single pages as alloc_page() gives them on a host whose free lists are mixed, at their worst: one out of each block of
   * `blockBytes` that is free whole, and further ones from anywhere when there is no such block left.
   *
   * @returns the first bytes of the pages; fewer than `count` if memory runs out
   */
  takeScattered(count: number, blockBytes: number): number[] {
    const pages: number[] = [];
    for (const { start, end } of [...this.free]) {
      for (
        let at = roundUp(start, blockBytes);
        at + blockBytes <= end && pages.length < count;
        at += blockBytes
      ) {
        this.take(at, at + PAGE_SIZE);
        pages.push(at);
      }
    }
    while (pages.length < count && this.free.length > 0) {
      const { start } = this.free[0]!;
      this.take(start, start + PAGE_SIZE);
      pages.push(start);
    }
    return pages;
  }

  /**
   * An aligned run for a user, near `node` if it can be, from a node's highest zone down; from memory that was added later last.
   *
   * @returns the first byte, or -1 if there is no such run
   */
  takeBlock(bytes: number, node: number): number {
    const near = this.zones.filter((zone) => zone.node === node);
    const far = this.zones.filter((zone) => zone.node !== node);
    for (const zone of [...near, ...far, ANYWHERE]) {
      for (let index = this.indexOf(zone.start); index < this.free.length; index++) {
        const { start, end } = this.free[index]!;
        if (start >= zone.end) break;
        const at = roundUp(Math.max(start, zone.start), bytes);
        if (at + bytes > Math.min(end, zone.end)) continue;
        this.take(at, at + bytes);
        return at;
      }
    }
    return -1;
  }

  /** Takes `bytes` from wherever pages are free, which the caller has seen to be enough. */
  takeAny(bytes: number): void {
    let left = bytes;
    for (const { start, end } of [...this.free]) {
      const size = Math.min(left, end - start);
      if (size > 0) this.take(start, start + size);
      left -= size;
    }
    assert(left === 0, "no more pages are taken than are free");
  }

  /** Puts a run back. */
  give(start: number, end: number): void {
    this.left += end - start;
    const at = this.indexOf(start);
    const before = this.free[at - 1];
    const behind = this.free[at];
    const joinsBefore = before !== undefined && before.end === start;
    const joinsBehind = behind !== undefined && behind.start === end;
    const whole = { start: joinsBefore ? before.start : start, end: joinsBehind ? behind.end : end };
    this.free.splice(joinsBefore ? at - 1 : at, Number(joinsBefore) + Number(joinsBehind), whole);
  }

  get freeRanges(): readonly ByteRange[] {
    return this.free;
  }
  get freeBytes(): number {
    return this.left;
  }

  /** Aligned runs of `bytes` that are free whole. */
  freeBlocks(bytes: number): number {
    return this.free.reduce(
      (sum, { start, end }) => sum + Math.max(0, Math.floor(end / bytes) - Math.ceil(start / bytes)),
      0,
    );
  }

  private indexOf(start: number): number {
    let low = 0;
    let high = this.free.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.free[middle]!.end <= start) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  private take(start: number, end: number): void {
    this.left -= end - start;
    const index = this.indexOf(start);
    const range = this.free[index]!;
    const rest: ByteRange[] = [];
    if (range.start < start) rest.push({ start: range.start, end: start });
    if (end < range.end) rest.push({ start: end, end: range.end });
    this.free.splice(index, 1, ...rest);
  }
}

/** ALIGN(start, count) in frames, as the kernel's macro computes it for any count. */
const alignPages = (start: number, count: number): number => {
  const mask = BigInt(count - 1);
  const frame = (BigInt(Math.ceil(start / PAGE_SIZE)) + mask) & ~mask;
  return Number(frame) * PAGE_SIZE;
};
