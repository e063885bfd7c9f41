import { NotModelled } from "../not-modelled.ts";

/** Attributes of a memory region. @source Linux include/linux/memblock.h, enum memblock_flags */
export const MEMBLOCK = { NONE: 0, HOTPLUG: 1, DRIVER_MANAGED: 8 } as const;
/** Node of a range that nobody assigned yet, and the request for memory of any node. */
export const ANY_NODE = -1;

const CAPACITY = 1024;
/** Rows of the array that the kernel's image holds: INIT_MEMBLOCK_REGIONS. */
const FIRST_ROWS = 128;
/** Bytes of a struct memblock_region. */
const ROW_BYTES = 24;

/** Sorted, disjoint byte ranges with a node and flags each. */
class Regions {
  readonly start = new Float64Array(CAPACITY);
  readonly end = new Float64Array(CAPACITY);
  readonly node = new Float64Array(CAPACITY);
  readonly flags = new Float64Array(CAPACITY);
  /** [0]: how many of the rows are in use. [1]: how many the kernel's array has. */
  readonly words = Float64Array.of(0, FIRST_ROWS);

  get count(): number {
    return this.words[0]!;
  }

  /** Whether the kernel's array has room for `more` rows. */
  hasRoom(more: number): boolean {
    return this.count + more <= this.words[1]!;
  }

  /** Bytes of the kernel's array. */
  get arrayBytes(): number {
    return this.words[1]! * ROW_BYTES;
  }

  /** The kernel's array is twice as long from now on. */
  double(): void {
    this.words[1]! *= 2;
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
 * @missing more than 1024 regions, MIRROR and NOMAP regions, bottom-up allocation
 */
export class Memblock {
  readonly memory = new Regions();
  readonly reserved = new Regions();
  /** What nextFree() found, bytes. */
  freeStart = 0;
  freeEnd = 0;
  freeNode = ANY_NODE;

  /** memblock_add_node, before all memory is mapped: a longer array lies in the first MiB, which is accepted. */
  add(start: number, end: number, node: number = ANY_NODE, flags: number = MEMBLOCK.NONE): void {
    this.memory.add(start, end, node, flags);
    while (!this.memory.hasRoom(0)) this.memory.double();
  }

  /**
   * memblock_reserve. It accepts nothing: who reserves and then touches accepts for himself. Once all memory is mapped, the caller
   * sees to the array's room.
   */
  reserve(start: number, end: number): void {
    this.reserved.add(start, end, ANY_NODE, MEMBLOCK.NONE);
    while (!this.reserved.hasRoom(0)) this.reserved.double();
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
