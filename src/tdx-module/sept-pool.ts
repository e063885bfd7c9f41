import { assert } from "../assert.ts";
import { type FlatRange, range } from "../flat/flat-range.ts";
import { capacityFor, grown8, grown16, grown32 } from "../flat/growth.ts";

/** Entries of a table. */
export const ENTRIES = 512;
/** Slot of the table that the walk starts from. It is never freed, so 0 also ends the list of free slots. */
export const ROOT = 0;
const MAX_SLOTS = 2 ** 22;

export const LEVELS = 0;
const USED = 1;
const FREE_HEAD = 2;
const LIVE = 3;

/**
 * The tables of one secure EPT, as slots of a pool: 512 state bytes and 512 payloads each, the host frame
 * that holds the table, and how many of its entries are in which state.
 *
 * Flat. The pool grows by doubling, and a freed slot is the next to be used.
 */
export class SeptPool {
  /** Number of levels, slots ever used, head of the free slots, tables in the tree. */
  readonly words = new Uint32Array(4);
  /** State byte of an entry; entry number is slot times 512 plus index. A fresh table is all FREE. */
  state: Uint8Array;
  /** Leaf: host frame. Non-leaf: slot of its table. FREE: zero. */
  payload: Uint32Array;
  /** Host frame that holds the table of a slot. */
  tableFrame: Uint32Array;
  /** Entries of a slot that are not FREE, that are MAPPED, that are PENDING. */
  usedCount: Uint16Array;
  mappedCount: Uint16Array;
  pendingCount: Uint16Array;

  constructor(slots: number) {
    assert(2 <= slots && slots <= MAX_SLOTS, "a pool holds the root and at least one more table");
    this.state = new Uint8Array(slots * ENTRIES);
    this.payload = new Uint32Array(slots * ENTRIES);
    this.tableFrame = new Uint32Array(slots);
    this.usedCount = new Uint16Array(slots);
    this.mappedCount = new Uint16Array(slots);
    this.pendingCount = new Uint16Array(slots);
  }

  get levels(): number {
    return this.words[LEVELS]!;
  }
  /** Tables in the tree, the root included. */
  get tableCount(): number {
    return this.words[LIVE]!;
  }

  /** Leaves only an empty root, held by host frame `rootFrame`. */
  protected empty(levels: number, rootFrame: number): void {
    const used = this.words[USED]!;
    this.state.fill(0, 0, used * ENTRIES);
    this.payload.fill(0, 0, used * ENTRIES);
    for (const counts of [this.usedCount, this.mappedCount, this.pendingCount]) counts.fill(0, 0, used);
    this.tableFrame.fill(0, 0, used);
    this.words.set([levels, 1, 0, 1]);
    this.tableFrame[ROOT] = rootFrame;
  }

  protected takeSlot(frame: number): number {
    let slot = this.words[FREE_HEAD]!;
    if (slot !== 0) this.words[FREE_HEAD] = this.tableFrame[slot]!;
    else {
      slot = this.words[USED]!;
      if (slot === this.tableFrame.length) this.grow(slot * 2);
      this.words[USED] = slot + 1;
    }
    this.tableFrame[slot] = frame;
    this.words[LIVE]!++;
    return slot;
  }

  /** A free slot's table is all FREE, and its frame word links the list. */
  protected releaseSlot(slot: number): number {
    const frame = this.tableFrame[slot]!;
    this.usedCount[slot] = 0;
    this.mappedCount[slot] = 0;
    this.pendingCount[slot] = 0;
    this.tableFrame[slot] = this.words[FREE_HEAD]!;
    this.words[FREE_HEAD] = slot;
    this.words[LIVE]!--;
    return frame;
  }

  private grow(slots: number): void {
    assert(slots <= MAX_SLOTS, "a secure EPT fits its pool");
    this.state = grown8(this.state, slots * ENTRIES);
    this.payload = grown32(this.payload, slots * ENTRIES);
    this.tableFrame = grown32(this.tableFrame, slots);
    this.usedCount = grown16(this.usedCount, slots);
    this.mappedCount = grown16(this.mappedCount, slots);
    this.pendingCount = grown16(this.pendingCount, slots);
  }

  /** Every byte of the state, for snapshots: `words` first, because it tells the lengths of the rest. */
  flat(): readonly FlatRange[] {
    const used = this.words[USED]!;
    return [
      range(this.words, this.words.length),
      range(this.state, used * ENTRIES),
      range(this.payload, used * ENTRIES),
      range(this.tableFrame, used),
      range(this.usedCount, used),
      range(this.mappedCount, used),
      range(this.pendingCount, used),
    ];
  }

  /** Makes room for the lengths that `words`, just loaded, tells; clears what lies beyond. */
  reserve(): void {
    const used = this.words[USED]!;
    const slots = capacityFor(this.tableFrame.length, used);
    if (slots > this.tableFrame.length) this.grow(slots);
    this.state.fill(0, used * ENTRIES);
    this.payload.fill(0, used * ENTRIES);
    for (const counts of [this.usedCount, this.mappedCount, this.pendingCount]) counts.fill(0, used);
  }
}
