import {
  SEPT_FREE,
  SEPT_IS_LEAF,
  SEPT_MAPPED,
  SEPT_NL_BLOCKED,
  SEPT_NL_MAPPED,
  SEPT_PENDING,
} from "../abi/tdx/sept-entry.ts";
import { assert } from "../assert.ts";
import { ChangedUnits } from "../flat/changed-units.ts";
import { ENTRIES, LEVELS, ROOT, SeptPool } from "./sept-pool.ts";

const PAGE_BYTES = 4096;
/** Number of no GiB. */
const NO_GIB = -1;

/**
 * The secure EPT of one TD: a radix tree of 512-entry tables.
 *
 * In a PENDING 2 MiB leaf the low nine bits of the payload are ACCEPT_COUNTER, as in hardware: the frame is
 * aligned. Frames fit 32 bits because `TdmrList` lets no page above 16 TiB of host memory become one of TDX.
 *
 * The walk leaves its result in `at` (entry number), `level` and `unit`; it allocates nothing.
 */
export class Sept extends SeptPool {
  /** 2 MiB units whose leaf state changed, for invariants and fingerprints. Not part of a snapshot. */
  readonly changed = new ChangedUnits();

  /** Where the last walk ended: entry number (slot times 512 plus index), its level, the 2 MiB unit. */
  at = 0;
  level = 0;
  unit = 0;

  constructor(slots = 8) {
    super(slots);
  }

  /** Empties the tree. `levels` is 4 or 5; `rootFrame` is the host frame that holds the root table. */
  reset(levels: number, rootFrame: number): void {
    assert(levels === 4 || levels === 5, `a secure EPT has 4 or 5 levels, not ${levels}`);
    this.empty(levels, rootFrame);
    this.gib = NO_GIB;
    this.changed.everything();
  }

  /**
   * Walks from the root to `level`. Ends there, or earlier at the first entry that is not NL_MAPPED.
   * Takes the GPA as two halves; bits 11:0 and those above the tree's width do not matter.
   */
  walk(lo: number, hi: number, level: number): void {
    this.unit = (lo >>> 21) | (hi << 11);
    if ((((lo >>> 30) | (hi << 2)) & 0x7fff_ffff) === this.gib && level <= 1) this.walkTable(lo, level);
    else this.walkDown(lo, hi, level);
  }

  /** The GiB of the last walk that went down to its table of 2 MiB entries, and the number of that table's first entry. */
  private gib = NO_GIB;
  private gibTable = 0;

  /** The last two steps of a walk, from the table of 2 MiB entries that the last walk came to. */
  private walkTable(lo: number, level: number): void {
    const at1 = this.gibTable | ((lo >>> 21) & 511);
    const ends = level === 1 || this.state[at1] !== SEPT_NL_MAPPED;
    this.level = ends ? 1 : 0;
    this.at = ends ? at1 : (this.payload[at1]! << 9) | ((lo >>> 12) & 511);
  }

  private walkDown(lo: number, hi: number, level: number): void {
    const above = this.findTable(lo, hi, level);
    this.at = above;
    if (this.level !== 1) return;
    this.gib = ((lo >>> 30) | (hi << 2)) & 0x7fff_ffff;
    this.gibTable = above;
    this.walkTable(lo, level);
  }

  /** First entry of the table of 2 MiB entries, with `level` set to 1; or where the walk ends above it. */
  private findTable(lo: number, hi: number, level: number): number {
    const state = this.state;
    const payload = this.payload;
    let slot = ROOT;
    if (this.words[LEVELS] === 5) {
      const at4 = (hi >>> 16) & 511;
      this.level = 4;
      if (level === 4 || state[at4] !== SEPT_NL_MAPPED) return at4;
      slot = payload[at4]!;
    }
    const at3 = (slot << 9) | ((hi >>> 7) & 511);
    this.level = 3;
    if (level === 3 || state[at3] !== SEPT_NL_MAPPED) return at3;
    const at2 = (payload[at3]! << 9) | (((lo >>> 30) | (hi << 2)) & 511);
    this.level = 2;
    if (level === 2 || state[at2] !== SEPT_NL_MAPPED) return at2;
    this.level = 1;
    return payload[at2]! << 9;
  }

  /** State byte of the entry where the last walk ended. */
  get stateHere(): number {
    return this.state[this.at]!;
  }
  /** Payload of that entry. */
  get payloadHere(): number {
    return this.payload[this.at]!;
  }

  /** Writes state and payload of the entry where the last walk ended, which is not a non-leaf before or after. */
  setLeaf(next: number, payload: number): void {
    this.put(next, payload);
    if (this.level <= 1) this.changed.add(this.unit);
    else this.changed.everything();
  }

  /** The same for a state alone. */
  setState(next: number): void {
    this.setLeaf(next, this.payload[this.at]!);
  }

  /** The PENDING leaf where the last walk ended becomes MAPPED: what an accept does, with nothing to ask. */
  mapPending(): void {
    const at = this.at;
    this.state[at] = SEPT_MAPPED;
    this.pendingCount[at >>> 9]!--;
    this.mappedCount[at >>> 9]!++;
    if (this.level <= 1) this.changed.add(this.unit);
    else this.changed.everything();
  }

  private recount(slot: number, before: number, next: number): void {
    if (before === next) return;
    if (before === SEPT_FREE) this.usedCount[slot]!++;
    else if (before === SEPT_MAPPED) this.mappedCount[slot]!--;
    else if (before === SEPT_PENDING) this.pendingCount[slot]!--;
    if (next === SEPT_FREE) this.usedCount[slot]!--;
    else if (next === SEPT_MAPPED) this.mappedCount[slot]!++;
    else if (next === SEPT_PENDING) this.pendingCount[slot]!++;
  }

  /** How many of the 512 pages of a 2 MiB unit (GPA divided by 2 MiB) are accepted. Moves the cursor. */
  mappedPages(unit: number): number {
    return this.pagesIn(unit, SEPT_MAPPED, this.mappedCount);
  }
  /** How many wait to be accepted. Moves the cursor. */
  pendingPages(unit: number): number {
    return this.pagesIn(unit, SEPT_PENDING, this.pendingCount);
  }

  private pagesIn(unit: number, state: number, counts: Uint16Array): number {
    this.walk((unit << 21) >>> 0, unit >>> 11, 1);
    const here = this.state[this.at]!;
    if (here === state) return ENTRIES;
    return this.level === 1 && here === SEPT_NL_MAPPED ? counts[this.payload[this.at]!]! : 0;
  }

  /**
   * End of the addresses from `gpa` on whose entries have one state, whatever their sizes, as far as whole tables
   * tell; at most `limit`. Moves the cursor.
   */
  endOfState(gpa: number, limit: number): number {
    let at = gpa;
    this.walk(at >>> 0, Math.floor(at / 2 ** 32), 0);
    const state = this.state[this.at]!;
    while (at < limit) {
      if (this.state[this.at] !== state) return at;
      const size = PAGE_BYTES * ENTRIES ** this.level;
      at += this.equalEntries() * size - (at % size);
      this.walk(at >>> 0, Math.floor(at / 2 ** 32), 0);
    }
    return limit;
  }

  /** Whether all entries of a table of 4 KiB pages are MAPPED, or all PENDING. */
  private isUniform(slot: number): boolean {
    return this.mappedCount[slot] === ENTRIES || this.pendingCount[slot] === ENTRIES;
  }

  /** Entries from that of the last walk on, in its table, that have its state. */
  private equalEntries(): number {
    const end = (this.at | (ENTRIES - 1)) + 1;
    if (this.level === 0 && this.isUniform(this.at >>> 9)) return end - this.at;
    const state = this.state[this.at]!;
    let at = this.at + 1;
    while (at < end && this.state[at] === state) at++;
    return at - this.at;
  }

  /** Pages of 4 KiB from the last walk's on, in its table, that have its state and follow one another in host memory too. */
  runHere(): number {
    const { at, payload } = this;
    const most = this.equalEntries();
    let run = 1;
    while (run < most && payload[at + run] === payload[at]! + run) run++;
    return run;
  }
  /** So many pages of such a run become FREE. */
  freeRun(pages: number): void {
    const at = this.at;
    this.usedCount[at >>> 9]! -= pages;
    (this.state[at] === SEPT_MAPPED ? this.mappedCount : this.pendingCount)[at >>> 9]! -= pages;
    for (const entries of [this.state, this.payload]) entries.fill(0, at, at + pages);
    this.changed.add(this.unit);
  }

  /** Stores the progress of an interrupted 2 MiB accept in the PENDING entry where the last walk ended. */
  setAcceptCounter(chunks: number): void {
    this.payload[this.at] = (this.payload[this.at]! & ~511) | chunks;
    this.changed.add(this.unit);
  }

  /** Hangs an empty table, held by host frame `frame`, below the FREE entry where the last walk ended. */
  addTable(frame: number): number {
    const slot = this.takeSlot(frame);
    this.put(SEPT_NL_MAPPED, slot);
    return slot;
  }

  /** Frees the empty table below the entry where the last walk ended; answers its host frame. */
  removeTable(): number {
    const slot = this.payload[this.at]!;
    assert(this.usedCount[slot] === 0, "a table is freed when all its entries are FREE");
    const frame = this.releaseSlot(slot);
    this.put(SEPT_FREE, 0);
    return frame;
  }

  /** Writes an entry. With an empty table below before or after, no page is in another state than it was. */
  private put(next: number, payload: number): void {
    const at = this.at;
    if (this.level > 1) this.gib = NO_GIB;
    const before = this.state[at]!;
    this.state[at] = next;
    this.payload[at] = payload;
    this.recount(at >>> 9, before, next);
  }

  /** Blocks or unblocks the non-leaf where the last walk ended, or puts a leaf or a full table in its place. */
  setNonLeaf(next: number, payload: number): void {
    this.put(next, payload);
    if (this.level === 1) this.changed.add(this.unit);
    else this.changed.everything();
  }

  /** Frame of the table below the non-leaf where the last walk ended. */
  get tableFrameHere(): number {
    return this.tableFrame[this.payload[this.at]!]!;
  }
  /** Slot of that table. */
  get tableHere(): number {
    return this.payload[this.at]!;
  }
  isLeafHere(): boolean {
    return SEPT_IS_LEAF[this.state[this.at]!] === 1;
  }

  /**
   * Splits the leaf where the last walk ended into a table of 512 leaves, all in state `next`.
   *
   * @param frame host frame that holds the new table @param pages first host frame of the leaf
   */
  split(frame: number, pages: number, next: number): void {
    const stride = this.level === 1 ? 1 : ENTRIES;
    const slot = this.takeSlot(frame);
    const first = slot << 9;
    this.state.fill(next, first, first + ENTRIES);
    for (let i = 0; i < ENTRIES; i++) this.payload[first + i] = pages + i * stride;
    this.usedCount[slot] = ENTRIES;
    this.mappedCount[slot] = next === SEPT_MAPPED ? ENTRIES : 0;
    this.pendingCount[slot] = next === SEPT_PENDING ? ENTRIES : 0;
    this.setNonLeaf(SEPT_NL_MAPPED, slot);
  }

  /** Replaces the table below the entry where the last walk ended by one leaf; answers the table's frame. */
  merge(next: number, pages: number): number {
    const slot = this.payload[this.at]!;
    const first = slot << 9;
    this.state.fill(0, first, first + ENTRIES);
    this.payload.fill(0, first, first + ENTRIES);
    const frame = this.releaseSlot(slot);
    this.setNonLeaf(next, pages);
    return frame;
  }

  /** Whoever wrote into the tables other than by the methods here calls this: the last walk is not to be relied on. */
  forgetWalk(): void {
    this.gib = NO_GIB;
  }

  override reserve(): void {
    super.reserve();
    this.forgetWalk();
    this.changed.clear();
  }
}

/** Whether a state byte is one of a present or blocked table. */
export const isTable = (state: number): boolean => state === SEPT_NL_MAPPED || state === SEPT_NL_BLOCKED;

/** Host frame of a leaf: its payload, without the ACCEPT_COUNTER of a 2 MiB page. */
export const leafFrame = (payload: number, level: number): number =>
  level === 1 ? (payload & ~511) >>> 0 : payload;
