import { assert } from "../assert.ts";
import { NotModelled } from "../not-modelled.ts";
import { KERNEL_PROCEDURES } from "./kernel.ts";
import { acceptMemory } from "./unaccepted-memory.ts";

/** Attributes of a memory region. @source Linux include/linux/memblock.h, enum memblock_flags */
export const MEMBLOCK = { NONE: 0, HOTPLUG: 1, DRIVER_MANAGED: 8 } as const;
/** Node of a range that nobody assigned yet, and the request for memory of any node. */
export const ANY_NODE = -1;

const CAPACITY = 1024;

/** Sorted, disjoint byte ranges with a node and flags each. */
class Regions {
  readonly start = new Float64Array(CAPACITY);
  readonly end = new Float64Array(CAPACITY);
  readonly node = new Float64Array(CAPACITY);
  readonly flags = new Float64Array(CAPACITY);
  /** [0]: how many of the rows are in use. */
  readonly words = new Float64Array(1);

  get count(): number {
    return this.words[0]!;
  }

  /** Adds a range; the parts that a region covers already stay as they are, equal neighbours merge. */
  add(start: number, end: number, node: number, flags: number): void {
    let at = start;
    for (let row = 0; row < this.count && at < end; row++) {
      if (this.end[row]! <= at) continue;
      if (this.start[row]! >= end) break;
      const gapEnd = this.start[row]!;
      const behind = this.end[row]!;
      if (at < gapEnd) {
        this.insert(row, at, gapEnd, node, flags);
        row++;
      }
      at = behind;
    }
    if (at < end) this.insert(this.rowAt(at), at, end, node, flags);
    this.merge();
  }

  /** Gives every byte of [start, end) that is in some region this node. */
  setNode(start: number, end: number, node: number): void {
    this.splitAt(start);
    this.splitAt(end);
    for (let row = 0; row < this.count; row++) {
      if (this.start[row]! >= start && this.end[row]! <= end) this.node[row] = node;
    }
    this.merge();
  }

  remove(start: number, end: number): void {
    this.splitAt(start);
    this.splitAt(end);
    for (let row = this.count - 1; row >= 0; row--) {
      if (this.start[row]! >= start && this.end[row]! <= end) this.delete(row);
    }
  }

  /** First row that ends above `address`; `count` if none does. */
  rowAbove(address: number): number {
    let row = 0;
    while (row < this.count && this.end[row]! <= address) row++;
    return row;
  }

  columns(): Float64Array[] {
    return [this.start, this.end, this.node, this.flags];
  }

  private rowAt(start: number): number {
    let row = 0;
    while (row < this.count && this.start[row]! < start) row++;
    return row;
  }

  private splitAt(address: number): void {
    const row = this.rowAbove(address);
    if (row === this.count || this.start[row]! >= address) return;
    const end = this.end[row]!;
    this.end[row] = address;
    this.insert(row + 1, address, end, this.node[row]!, this.flags[row]!);
  }

  private insert(row: number, start: number, end: number, node: number, flags: number): void {
    if (this.count === CAPACITY) throw new NotModelled(`more than ${CAPACITY} memblock regions`);
    for (const column of this.columns()) column.copyWithin(row + 1, row, this.count);
    this.start[row] = start;
    this.end[row] = end;
    this.node[row] = node;
    this.flags[row] = flags;
    this.words[0]!++;
  }

  private delete(row: number): void {
    for (const column of this.columns()) column.copyWithin(row, row + 1, this.count);
    this.words[0]!--;
  }

  private merge(): void {
    for (let row = this.count - 1; row > 0; row--) {
      const before = row - 1;
      const alike = this.node[row] === this.node[before] && this.flags[row] === this.flags[before];
      if (!alike || this.end[before] !== this.start[row]) continue;
      this.end[before] = this.end[row]!;
      this.delete(row);
    }
  }
}

/**
 * The allocator of early boot: which bytes are memory, and which of them are taken. Addresses are bytes,
 * ranges half open.
 *
 * @source Linux mm/memblock.c
 * @missing growing past 1024 regions (the kernel's array doubling, which accepts the array it takes),
 *   MIRROR and NOMAP regions, bottom-up allocation
 */
export class Memblock {
  readonly memory = new Regions();
  readonly reserved = new Regions();
  /** What nextFree() found, bytes. */
  freeStart = 0;
  freeEnd = 0;
  freeNode = ANY_NODE;

  /** memblock_add_node. */
  add(start: number, end: number, node: number = ANY_NODE, flags: number = MEMBLOCK.NONE): void {
    this.memory.add(start, end, node, flags);
  }

  /** memblock_reserve. It accepts nothing: who reserves and then touches accepts for himself. */
  reserve(start: number, end: number): void {
    this.reserved.add(start, end, ANY_NODE, MEMBLOCK.NONE);
  }

  /** memblock_phys_free: the range may be allocated again. */
  release(start: number, end: number): void {
    this.reserved.remove(start, end);
  }

  remove(start: number, end: number): void {
    this.memory.remove(start, end);
  }

  setNode(start: number, end: number, node: number): void {
    this.memory.setNode(start, end, node);
  }

  /** Sum of all memory, bytes. */
  memorySize(): number {
    let size = 0;
    for (let row = 0; row < this.memory.count; row++) size += this.memory.end[row]! - this.memory.start[row]!;
    return size;
  }

  /** End of the highest region, bytes; 0 without memory. */
  endOfMemory(): number {
    return this.memory.count === 0 ? 0 : this.memory.end[this.memory.count - 1]!;
  }

  /** Finds the first free range at or above `from`, within one memory region. @returns false if none is left */
  nextFree(from: number): boolean {
    let at = from;
    for (let row = this.memory.rowAbove(from); row < this.memory.count; row++) {
      at = Math.max(at, this.memory.start[row]!);
      const end = this.memory.end[row]!;
      let taken = this.reserved.rowAbove(at);
      while (at < end && taken < this.reserved.count && this.reserved.start[taken]! <= at) {
        at = this.reserved.end[taken++]!;
      }
      if (at >= end) continue;
      this.freeStart = at;
      this.freeEnd = taken < this.reserved.count ? Math.min(end, this.reserved.start[taken]!) : end;
      this.freeNode = this.memory.node[row]!;
      return true;
    }
    return false;
  }

  /**
   * Highest aligned place for `size` bytes of free memory below `limit`.
   *
   * @returns its address, or -1
   */
  findTopDown(size: number, align: number, limit: number, node: number): number {
    let found = -1;
    for (let from = 0; this.nextFree(from); from = this.freeEnd) {
      if (this.freeStart >= limit) break;
      if (node !== ANY_NODE && this.freeNode !== node) continue;
      const top = Math.min(this.freeEnd, limit) - size;
      const candidate = top - (((top % align) + align) % align);
      if (candidate >= this.freeStart && candidate > 0) found = candidate;
    }
    return found;
  }

  /** The arrays that a snapshot copies. */
  views(): ArrayBufferView[] {
    return [this.memory, this.reserved].flatMap((regions) => [...regions.columns(), regions.words]);
  }
}

const { v, at, define } = KERNEL_PROCEDURES.declare("memblock_alloc_range_nid", {
  args: ["size", "align", "limit", "node"],
  locals: ["address"],
  steps: ["enter", "accepted"],
});

/**
 * Allocates from the top down: (size, align, limit, node) in bytes; limit 0: none, node -1: any. A node
 * without room falls back to any other. The memory is accepted before the address is returned.
 * Returns the address, or -1.
 *
 * @source Linux mm/memblock.c, memblock_alloc_range_nid
 */
export const memblockAlloc = define({
  enter: (k, f) => {
    const size = f.get(v.size);
    const align = f.get(v.align);
    const limit = f.get(v.limit) === 0 ? Number.POSITIVE_INFINITY : f.get(v.limit);
    const node = f.get(v.node);
    assert(size > 0 && align > 0, "a memblock allocation has a size and an alignment");
    let address = k.memblock.findTopDown(size, align, limit, node);
    if (address < 0 && node !== ANY_NODE) address = k.memblock.findTopDown(size, align, limit, ANY_NODE);
    if (address < 0) return f.returns(-1);
    k.memblock.reserve(address, address + size);
    f.set(v.address, address);
    return f.call(acceptMemory, at.accepted, address, size);
  },
  accepted: (_k, f) => f.returns(f.get(v.address)),
});
