import { assert } from "../../assert.ts";
import { type Arena, Mirror } from "./arena.ts";
import { LINE_WORDS } from "./line-compare.ts";

/** Lines of the machine's memory: what of it is saved, and what of that tells states from one another. */
export interface CellLines {
  /** Numbers of lines in the arena, ascending. */
  readonly lines: readonly number[];
  /** By place in `lines`: whether the line tells states apart; false for what no later step looks at. */
  readonly inKey: readonly boolean[];
}

const FILL = 0x8000_0000;
const MOST = 0xfff;
const LENGTH_BITS = 12;
/** A run of equal values from this length on is one value. */
const SHORTEST_FILL = 3;

/** Mixes a cell's number with its value, 32 bits; two seeds give two independent halves. */
const mix = (cell: number, value: number, seed: number): number => {
  let hash = Math.imul(cell ^ seed, 0x9e3779b1) ^ Math.imul(value, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ value, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13), 0x27d4eb2f);
  return hash ^ (hash >>> 16);
};
const SEED_LOW = 0x51ed_270b;
const SEED_HIGH = 0x2545_f491;

/**
 * The words of a machine that its steps change, as one row of cells, eight a line. It knows two states: the base, where the
 * search began, and the origin, which was restored last. A step touches few lines, so the fingerprint is the origin's with
 * what differs from it mixed in, and going back to the origin writes these lines only. A saved state is where it differs from
 * the base, as runs.
 */
export class Cells {
  readonly count: number;
  private readonly words: Uint32Array;
  /** By line: 1 if it is part of the key. */
  private readonly keyed: Uint8Array;
  private readonly base: Mirror;
  private readonly origin: Mirror;
  private originLow = 0;
  private originHigh = 0;
  /** The bytes that the origin was restored from. */
  private readonly last: Uint32Array;
  private lastLength = -1;
  /** Lines that differ from the origin, if the machine did not move since. */
  private touched = 0;
  private compared = false;
  private hashed = false;
  private low = 0;
  private high = 0;
  /** Cells that differ from the base, and what they hold. */
  private readonly changes: Uint32Array;
  private readonly values: Uint32Array;
  private view: Uint32Array = new Uint32Array(0);

  /** The base is what the lines hold now. */
  constructor(arena: Arena, { lines, inKey }: CellLines) {
    this.count = lines.length * LINE_WORDS;
    assert(this.count < 2 ** (31 - LENGTH_BITS), "the cells of a machine fit a run's header");
    this.words = arena.words;
    this.keyed = Uint8Array.from(inKey, Number);
    this.base = new Mirror(arena, lines);
    this.origin = new Mirror(arena, lines);
    this.last = new Uint32Array(2 * this.count + 2);
    this.changes = new Uint32Array(this.count);
    this.values = new Uint32Array(this.count);
  }

  /** Bytes of the longest key. */
  get keyBytes(): number {
    return this.count * 8;
  }

  /** Bytes of the longest saved state. */
  get stateBytes(): number {
    return this.last.length * 4;
  }

  /** The machine is about to move: what was compared is stale. */
  moves(): void {
    this.compared = false;
    this.hashed = false;
  }

  private compare(): void {
    if (this.compared) return;
    this.touched = this.origin.compare();
    this.compared = true;
  }

  /** Fingerprint of what the machine holds now. */
  fingerprint(halves: Uint32Array): void {
    this.hash();
    halves[0] = this.low;
    halves[1] = this.high;
  }

  private hash(): void {
    if (this.hashed) return;
    this.compare();
    const { words, keyed, origin } = this;
    const { differing, firsts, copy } = origin;
    let low = this.originLow;
    let high = this.originHigh;
    for (let at = 0; at < this.touched; at++) {
      const line = differing[at]!;
      if (keyed[line] === 0) continue;
      const first = firsts[line]!;
      for (let word = 0; word < LINE_WORDS; word++) {
        const cell = line * LINE_WORDS + word;
        const before = copy[cell]!;
        const value = words[first + word]!;
        if (value === before) continue;
        low ^= mix(cell, before, SEED_LOW) ^ mix(cell, value, SEED_LOW);
        high ^= mix(cell, before, SEED_HIGH) ^ mix(cell, value, SEED_HIGH);
      }
    }
    this.low = low;
    this.high = high;
    this.hashed = true;
  }

  /** Puts the machine back to the base. */
  reset(): void {
    this.origin.copy.set(this.base.copy);
    this.originLow = 0;
    this.originHigh = 0;
    this.lastLength = -1;
    this.compared = false;
    this.goBack();
  }

  /** Writes the origin into the machine, wherever it holds something else. */
  private goBack(): void {
    this.compare();
    const { words, origin } = this;
    const { differing, firsts, copy } = origin;
    for (let at = 0; at < this.touched; at++) {
      const line = differing[at]!;
      const first = firsts[line]!;
      const from = line * LINE_WORDS;
      for (let word = 0; word < LINE_WORDS; word++) words[first + word] = copy[from + word]!;
    }
    this.touched = 0;
    this.low = this.originLow;
    this.high = this.originHigh;
    this.hashed = true;
  }

  /** Saves what the machine holds now. @returns bytes written */
  save(into: Uint8Array, at: number): number {
    this.hash();
    const to = this.wordsOf(into);
    const start = (into.byteOffset + at) >>> 2;
    to[start] = this.low;
    to[start + 1] = this.high;
    const { changes } = this;
    const count = this.findChanges();
    let used = start + 2;
    for (let from = 0; from < count; ) {
      let end = from + 1;
      while (end < count && changes[end] === changes[end - 1]! + 1) end++;
      used = this.encodeRun(to, used, from, end);
      from = end;
    }
    return (used - start) * 4;
  }

  /** Lists the cells that differ from the base. @returns how many there are */
  private findChanges(): number {
    const { words, changes, values, base } = this;
    const { differing, firsts, copy } = base;
    const lines = base.compare();
    let count = 0;
    for (let at = 0; at < lines; at++) {
      const line = differing[at]!;
      const first = firsts[line]!;
      for (let word = 0; word < LINE_WORDS; word++) {
        const cell = line * LINE_WORDS + word;
        const value = words[first + word]!;
        if (value === copy[cell]) continue;
        changes[count] = cell;
        values[count++] = value;
      }
    }
    return count;
  }

  /** Writes each cell of the key that differs from the base, and its value. @returns bytes written */
  key(into: Uint8Array, at: number): number {
    const to = this.wordsOf(into);
    const start = (into.byteOffset + at) >>> 2;
    const { changes, values, keyed } = this;
    const count = this.findChanges();
    let used = start;
    for (let change = 0; change < count; change++) {
      if (keyed[Math.floor(changes[change]! / LINE_WORDS)] === 0) continue;
      to[used++] = changes[change]!;
      to[used++] = values[change]!;
    }
    return (used - start) * 4;
  }

  /** The words of the memory in which some bytes lie, from its start on. */
  private wordsOf(bytes: Uint8Array): Uint32Array {
    if (bytes.buffer !== this.view.buffer) this.view = new Uint32Array(bytes.buffer);
    return this.view;
  }

  /** Writes changes [from, end) of neighbouring cells. @returns where the next run goes */
  private encodeRun(to: Uint32Array, at: number, from: number, end: number): number {
    const { changes, values } = this;
    let used = at;
    for (let change = from; change < end; ) {
      const cell = changes[change]!;
      const stop = Math.min(end, change + MOST);
      let same = change + 1;
      while (same < stop && values[same] === values[change]) same++;
      if (same - change >= SHORTEST_FILL) {
        to[used++] = FILL | (cell << LENGTH_BITS) | (same - change);
        to[used++] = values[change]!;
        change = same;
        continue;
      }
      const header = used++;
      const first = change;
      for (; change < stop && !this.fillsFrom(change, stop); change++) to[used++] = values[change]!;
      to[header] = (cell << LENGTH_BITS) | (change - first);
    }
    return used;
  }

  private fillsFrom(change: number, stop: number): boolean {
    const { values } = this;
    return (
      change + 2 < stop && values[change] === values[change + 1] && values[change] === values[change + 2]
    );
  }

  /** Goes to a saved state, which is the origin then. */
  restore(from: Uint8Array, at: number, length: number): void {
    const words = this.wordsOf(from);
    const start = (from.byteOffset + at) >>> 2;
    const count = length >>> 2;
    if (!this.isLast(words, start, count)) {
      this.decode(words, start, count);
      this.compared = false;
    }
    this.goBack();
  }

  private isLast(words: Uint32Array, start: number, count: number): boolean {
    if (count !== this.lastLength) return false;
    const { last } = this;
    for (let at = 0; at < count; at++) if (last[at] !== words[start + at]) return false;
    return true;
  }

  private decode(words: Uint32Array, start: number, count: number): void {
    const { last } = this;
    const { copy } = this.origin;
    copy.set(this.base.copy);
    const end = start + count;
    for (let at = start + 2; at < end; ) {
      const header = words[at++]!;
      const first = (header & ~FILL) >>> LENGTH_BITS;
      const length = header & MOST;
      if ((header & FILL) !== 0) copy.fill(words[at++]!, first, first + length);
      else for (let n = 0; n < length; n++) copy[first + n] = words[at++]!;
    }
    for (let at = 0; at < count; at++) last[at] = words[start + at]!;
    this.lastLength = count;
    this.originLow = words[start]!;
    this.originHigh = words[start + 1]!;
  }
}
