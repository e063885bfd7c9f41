import type { FingerprintTable } from "./fingerprint-table.ts";
import type { Fingerprinter } from "./fingerprinter.ts";
import type { System } from "./system.ts";
import { CROWDED, DEEPEST } from "./visited-set.ts";

/** Memory that the threads of a search share: the table, and words that all of them read and write. */
export interface SharedTable {
  readonly table: SharedArrayBuffer;
  /** Absent if no levels are kept. */
  readonly levels: SharedArrayBuffer | undefined;
  /** CONTROL words. */
  readonly control: SharedArrayBuffer;
}

/**
 * Words of `control`: states in the table, whether everybody is to pause, the next piece of the level that nobody has
 * taken, KiB of the frontier, and KiB that it may come to before everybody pauses.
 */
export const CONTROL = {
  STATES: 0,
  PAUSE: 1,
  NEXT_PIECE: 2,
  FRONTIER: 3,
  MOST_FRONTIER: 4,
  WORDS: 5,
} as const;

/** States that a thread finds before it tells the others. */
const UNTOLD = 256;

export const sharedTable = (
  slots: number,
  keepsLevels: boolean,
  control: SharedArrayBuffer,
): SharedTable => ({
  table: new SharedArrayBuffer(8 * slots),
  levels: keepsLevels ? new SharedArrayBuffer(2 * slots) : undefined,
  control,
});

/**
 * Fingerprints in one table that several threads fill. A slot goes from free to taken once and never changes again.
 *
 * Whoever exchanges a slot's first half for 0 owns it and then writes the level and the second half, which is
 * never 0; who meets the same first half waits for the second. A plain read that sees both halves sees the truth,
 * as neither ever changes; one that sees 0 may be late and asks again atomically.
 */
export class SharedFingerprintSet implements FingerprintTable {
  readonly fingerprinter: Fingerprinter;
  private table: Uint32Array = new Uint32Array(0);
  private levels: Uint16Array | undefined;
  private control: Int32Array = new Int32Array(CONTROL.WORDS);
  private scale = 0;
  private limit = 0;
  private untold = 0;
  private slot = 0;
  protected touched = 0;

  constructor(fingerprinter: Fingerprinter) {
    this.fingerprinter = fingerprinter;
  }

  /** Goes over to a table. */
  attach(shared: SharedTable): void {
    this.table = new Uint32Array(shared.table);
    this.levels = shared.levels === undefined ? undefined : new Uint16Array(shared.levels);
    this.control = new Int32Array(shared.control);
    const slots = this.table.length / 2;
    this.scale = slots / 2 ** 32;
    this.limit = Math.floor(slots * CROWDED);
  }

  get bytes(): number {
    return this.table.byteLength + (this.levels?.byteLength ?? 0);
  }

  get size(): number {
    return Atomics.load(this.control, CONTROL.STATES);
  }

  /** Also true once somebody asked all threads to pause. */
  get crowded(): boolean {
    const { control } = this;
    if (this.untold >= UNTOLD) this.tell();
    return Atomics.load(control, CONTROL.PAUSE) !== 0 || Atomics.load(control, CONTROL.STATES) >= this.limit;
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
      let there = table[at]!;
      if (there === 0) there = Atomics.compareExchange(table, at, 0, first);
      if (there === 0) break;
      if (there === first && this.secondOf(at) === second) {
        this.slot = at >>> 1;
        return false;
      }
      at += 2;
      if (at === end) at = 0;
    }
    this.slot = at >>> 1;
    if (this.levels !== undefined) Atomics.store(this.levels, this.slot, Math.min(level, DEEPEST));
    Atomics.store(table, at + 1, second);
    this.untold++;
    return true;
  }

  private secondOf(at: number): number {
    const { table } = this;
    let second = this.levels === undefined ? table[at + 1]! : 0;
    while (second === 0) second = Atomics.load(table, at + 1);
    return second;
  }

  /** Adds what this thread found to the count that all see. */
  tell(): void {
    Atomics.add(this.control, CONTROL.STATES, this.untold);
    this.untold = 0;
  }

  get lastLevel(): number {
    return Atomics.load(this.levels!, this.slot);
  }

  /** Puts part `part` of `parts` of a smaller table into this one. Its states are counted already. */
  takeOver(from: SharedTable, part: number, parts: number): void {
    const old = new Uint32Array(from.table);
    const levels = from.levels === undefined ? undefined : new Uint16Array(from.levels);
    const slots = old.length / 2;
    const begin = Math.floor((slots * part) / parts);
    const end = Math.floor((slots * (part + 1)) / parts);
    for (let slot = begin; slot < end; slot++)
      if (old[2 * slot] !== 0) this.put(old[2 * slot]!, old[2 * slot + 1]!, levels?.[slot] ?? 0);
    this.untold = 0;
  }
}
