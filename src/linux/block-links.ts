import { Spare } from "../flat/spare.ts";

const EMPTY = 0;
/** Groups with blocks of every order that a machine has after boot; more of them make the pool grow. */
const TYPICAL_GROUPS = 8;

/** What links that are no longer used left. */
const sparePool = new Spare<Int32Array>((length) => new Int32Array(length));

/**
 * The list links of free blocks. A block is named by its page index >> order, and a link is such a name; what
 * ends a list is up to the caller.
 *
 * Pages form groups of an equal power of two, no smaller than the largest block. Room for the blocks of one order in
 * one group comes with the first of them that is linked: nearly all blocks of a machine are of the highest order, and
 * room for each page on its own would be most of its memory.
 */
export class BlockLinks {
  private readonly groupOrder: number;
  /** Where in `pool` the links of an order in a group start, by order, then group; 0: nowhere yet. */
  private readonly starts: Uint32Array[];
  /** Pairs: the next block, the one before. The first pair belongs to nobody. */
  private pool: Int32Array;
  /** Words of the pool that are given out. */
  private readonly used = Uint32Array.of(2);

  /** @param groupOrder log2 of the pages of a group @param maxOrder the highest order of a block */
  constructor(groupOrder: number, maxOrder: number) {
    this.groupOrder = groupOrder;
    this.pool = sparePool.zeroes(TYPICAL_GROUPS * 2 ** (groupOrder + 2));
    this.starts = Array.from({ length: maxOrder + 1 }, () => new Uint32Array(0));
  }

  /** Hands its memory on to the next. Afterwards no block has links. */
  release(): void {
    sparePool.leave(this.pool);
    this.pool = new Int32Array(0);
    this.starts.fill(new Uint32Array(0));
  }

  /** Makes room for the names of `groups` groups. */
  reserve(groups: number): void {
    for (const [order, starts] of this.starts.entries()) {
      const wider = new Uint32Array(groups);
      wider.set(starts);
      this.starts[order] = wider;
    }
  }

  next(order: number, block: number): number {
    return this.pool[this.at(order, block)]!;
  }
  prev(order: number, block: number): number {
    return this.pool[this.at(order, block) + 1]!;
  }
  setNext(order: number, block: number, to: number): void {
    this.pool[this.at(order, block)] = to;
  }
  setPrev(order: number, block: number, to: number): void {
    this.pool[this.at(order, block) + 1] = to;
  }

  /** Links a block, which may be the first of its order in its group. */
  set(order: number, block: number, next: number, prev: number): void {
    const starts = this.starts[order]!;
    const group = block >> (this.groupOrder - order);
    if (starts[group] === EMPTY) starts[group] = this.take(1 << (this.groupOrder - order + 1));
    const at = this.at(order, block);
    this.pool[at] = next;
    this.pool[at + 1] = prev;
  }

  /** A block is on no list any more: what its links were tells nothing. */
  clear(order: number, block: number): void {
    const at = this.at(order, block);
    this.pool[at] = 0;
    this.pool[at + 1] = 0;
  }

  /** Makes room for all blocks of all groups, so that where the links of one lie does not depend on what was linked before. */
  makeRoom(): void {
    for (const [order, starts] of this.starts.entries())
      for (let group = 0; group < starts.length; group++)
        if (starts[group] === EMPTY) starts[group] = this.take(1 << (this.groupOrder - order + 1));
  }

  private at(order: number, block: number): number {
    const shift = this.groupOrder - order;
    return this.starts[order]![block >> shift]! + 2 * (block & ((1 << shift) - 1));
  }

  private take(words: number): number {
    const start = this.used[0]!;
    const end = start + words;
    this.used[0] = end;
    if (end > this.pool.length) {
      const wider = new Int32Array(2 * this.pool.length);
      wider.set(this.pool);
      this.pool = wider;
    }
    return start;
  }
}
