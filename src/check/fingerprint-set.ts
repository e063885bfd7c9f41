import { assert } from "../assert.ts";
import type { FingerprintTable } from "./fingerprint-table.ts";
import { Fingerprinter } from "./fingerprinter.ts";
import type { System } from "./system.ts";
import { CROWDED, DEEPEST, FEWEST_SLOTS, type OwnVisitedSet } from "./visited-set.ts";

export interface FingerprintSetOptions {
  readonly keyBytes: number;
  readonly seed?: number;
  readonly slots?: number;
  /** Whether each state's level is kept: two more bytes a slot. */
  readonly levels?: boolean;
}

/**
 * Fingerprints in one open table: 8 bytes a slot, probed one by one, never removed.
 *
 * A fingerprint's first half, as a fraction of 2^32, says where in the table it belongs. So the table is nearly
 * sorted, a larger one is filled from front to back, and its size need not be a power of two.
 */
export class FingerprintSet implements FingerprintTable, OwnVisitedSet {
  size = 0;
  readonly fingerprinter: Fingerprinter;
  private readonly keepsLevels: boolean;
  private slots = 0;
  private scale = 0;
  private limit = 0;
  private table = new Uint32Array(0);
  private levels: Uint16Array | undefined;
  /** Slot of the state that was added or found last. */
  private slot = 0;
  /** Somewhere for what was touched to go, so that the reads are not left out. */
  protected touched = 0;

  constructor({ keyBytes, seed = 0, slots = FEWEST_SLOTS, levels = false }: FingerprintSetOptions) {
    this.fingerprinter = new Fingerprinter(keyBytes, seed);
    this.keepsLevels = levels;
    this.resize(slots);
  }

  get bytes(): number {
    return this.table.byteLength + (this.levels?.byteLength ?? 0);
  }

  get growthBytes(): number {
    return 2 * this.bytes;
  }

  get crowded(): boolean {
    return this.size >= this.limit;
  }

  add(system: System, level: number): boolean {
    const { fingerprinter } = this;
    fingerprinter.take(system);
    return this.put(fingerprinter.halves[0]!, fingerprinter.halves[1]!, level);
  }

  touch(firsts: Uint32Array, count: number): void {
    const { table, scale } = this;
    let sum = 0;
    for (let at = 0; at < count; at++) sum ^= table[2 * Math.floor(firsts[at]! * scale)]!;
    this.touched = sum;
  }

  put(first: number, second: number, level: number): boolean {
    const { table } = this;
    const end = table.length;
    let at = 2 * Math.floor(first * this.scale);
    for (;;) {
      const there = table[at]!;
      if (there === 0) break;
      if (there === first && table[at + 1] === second) {
        this.slot = at >>> 1;
        return false;
      }
      at += 2;
      if (at === end) at = 0;
    }
    table[at] = first;
    table[at + 1] = second;
    this.slot = at >>> 1;
    if (this.levels !== undefined) this.levels[this.slot] = Math.min(level, DEEPEST);
    this.size++;
    return true;
  }

  get lastLevel(): number {
    return this.levels![this.slot]!;
  }

  /** Notes a lower level of the state that was found last. */
  lowerLevel(level: number): void {
    this.levels![this.slot] = Math.min(level, DEEPEST);
  }

  grow(): void {
    const { table, levels } = this;
    this.resize(this.slots * 2);
    for (let at = 0; at < table.length; at += 2)
      if (table[at] !== 0) this.insert(table[at]!, table[at + 1]!, levels?.[at >>> 1] ?? 0);
  }

  private resize(slots: number): void {
    assert(slots >= FEWEST_SLOTS && slots <= 2 ** 31, "a table has a sane number of slots");
    this.slots = slots;
    this.scale = slots / 2 ** 32;
    this.limit = Math.floor(slots * CROWDED);
    this.table = new Uint32Array(2 * slots);
    if (this.keepsLevels) this.levels = new Uint16Array(slots);
    this.size = 0;
  }

  /** The table as it is, for a checkpoint. */
  sections(): { readonly table: Uint32Array; readonly levels: Uint16Array | undefined } {
    return { table: this.table, levels: this.levels };
  }

  /** Takes over a table of `size` states. */
  load({ table, levels }: ReturnType<FingerprintSet["sections"]>, size: number): void {
    assert(
      (levels !== undefined) === this.keepsLevels,
      "a table is taken over with the levels that are kept",
    );
    this.resize(table.length / 2);
    this.table.set(table);
    if (levels !== undefined) this.levels?.set(levels);
    this.size = size;
  }

  /** Puts a fingerprint in that is known to be missing. */
  private insert(first: number, second: number, level: number): void {
    const { table } = this;
    let at = 2 * Math.floor(first * this.scale);
    while (table[at] !== 0) at = at + 2 === table.length ? 0 : at + 2;
    table[at] = first;
    table[at + 1] = second;
    if (this.levels !== undefined) this.levels[at >>> 1] = level;
    this.size++;
  }
}
