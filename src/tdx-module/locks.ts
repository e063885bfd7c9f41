import { assert } from "../assert.ts";
import { type Flat, type FlatRange, range } from "../flat/flat-range.ts";

/** How a lock is held by somebody else. */
export const FREE = 0;
export const SHARED = 1;
export const EXCLUSIVE = 2;
export type Held = typeof FREE | typeof SHARED | typeof EXCLUSIVE;

/** The locks of one TD that a call can find taken. */
export const LOCK = { TDR: 0, OP_STATE: 1, SEPT_TREE: 2, TD_EPOCH: 3 } as const;
export type LockName = keyof typeof LOCK;

const ENTRY_COUNT = 4;
/** 1 while any of the words before it is set. */
const ANY = 5;
const MAX_ENTRIES = 8;

/**
 * Locks held by other logical processors at the moment of a call. The module's own calls are atomic here,
 * so whoever explores interleavings sets them; every lock is a try-lock, and a call that meets one answers
 * OPERAND_BUSY at once.
 */
export class Locks {
  private readonly words = new Uint32Array(ANY + 1);
  /** Locked entries: guest frame times 8 plus level. */
  private readonly entries = new Float64Array(MAX_ENTRIES);

  hold(lock: LockName, held: Held): void {
    this.words[LOCK[lock]] = held;
    this.note();
  }

  private note(): void {
    this.words[ANY] = this.words.subarray(0, ANY).some((word) => word !== 0) ? 1 : 0;
  }

  /** True only while some lock is held: the test that hot paths make first. */
  get any(): boolean {
    return this.words[ANY] !== 0;
  }
  /** Whether taking `lock` (a LOCK number) would fail. */
  isBusy(lock: number, exclusive: boolean): boolean {
    const held = this.words[lock]!;
    return held === EXCLUSIVE || (exclusive && held !== FREE);
  }

  /** Somebody holds the entry of `pfn` at `level`. */
  holdEntry(pfn: number, level: number): void {
    const count = this.words[ENTRY_COUNT]!;
    assert(count < MAX_ENTRIES, () => `at most ${MAX_ENTRIES} entries are locked at once`);
    this.entries[count] = pfn * 8 + level;
    this.words[ENTRY_COUNT] = count + 1;
    this.note();
  }
  releaseEntries(): void {
    this.words[ENTRY_COUNT] = 0;
    this.entries.fill(0);
    this.note();
  }
  isEntryBusy(pfn: number, level: number): boolean {
    const count = this.words[ENTRY_COUNT]!;
    const first = Math.floor(pfn / 512 ** level) * 512 ** level;
    for (let i = 0; i < count; i++) if (this.entries[i] === first * 8 + level) return true;
    return false;
  }

  releaseAll(): void {
    this.words.fill(0);
    this.entries.fill(0);
  }

  flat(): readonly FlatRange[] {
    return [range(this.words, ANY + 1), range(this.entries, MAX_ENTRIES)];
  }
}

const MAX_FRAMES = 8;

/** Host frames whose metadata entry somebody holds: a call that needs one answers OPERAND_BUSY. */
export class FrameLocks implements Flat {
  private readonly words = new Uint32Array(1 + MAX_FRAMES);

  hold(frame: number): void {
    const count = this.words[0]!;
    assert(count < MAX_FRAMES, () => `at most ${MAX_FRAMES} host frames are locked at once`);
    this.words[1 + count] = frame;
    this.words[0] = count + 1;
  }
  releaseAll(): void {
    this.words.fill(0);
  }
  get any(): boolean {
    return this.words[0] !== 0;
  }
  isBusy(frame: number): boolean {
    const count = this.words[0]!;
    for (let i = 1; i <= count; i++) if (this.words[i] === frame) return true;
    return false;
  }

  flat(): readonly FlatRange[] {
    return [range(this.words, 1 + MAX_FRAMES)];
  }
  reserve(): void {
    // Fixed length: there is nothing to make room for.
  }
}
