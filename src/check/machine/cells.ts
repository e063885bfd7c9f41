import { assert } from "../../assert.ts";

/** One array of the machine: what of it is saved, and what of that tells states from one another. */
export interface CellArray {
  /** Words of the array's memory, or its bytes where it is not whole words. */
  readonly words: Uint32Array | Uint8Array;
  /** Places in `words` that change, ascending. */
  readonly places: readonly number[];
  /** Whether a place tells states apart: false for what no later step looks at. */
  readonly inKey: (place: number) => boolean;
}

interface Stretch {
  readonly words: Uint32Array | Uint8Array;
  readonly places: Int32Array;
  /** Number of its first cell. */
  readonly first: number;
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
 * The words of a machine that its steps change, as one row of cells. A saved state is where they differ from a base, as
 * runs; the fingerprint follows each change by itself.
 */
export class Cells {
  readonly count: number;
  private readonly stretches: readonly Stretch[];
  /** By cell: 1 if it is part of the key. */
  private readonly keyed: Uint8Array;
  private readonly base: Uint32Array;
  /** What the machine holds, as of the last look. */
  private readonly now: Uint32Array;
  /** What is to be restored. */
  private readonly target: Uint32Array;
  private low = 0;
  private high = 0;
  /** The bytes that were restored last, and the fingerprint of their state. */
  private readonly last: Uint32Array;
  private lastLength = -1;
  private lastLow = 0;
  private lastHigh = 0;

  /** The base is what the arrays hold now. */
  constructor(arrays: readonly CellArray[]) {
    let first = 0;
    this.stretches = arrays
      .filter(({ places }) => places.length > 0)
      .map(({ words, places }) => {
        const stretch = { words, places: Int32Array.from(places), first };
        first += places.length;
        return stretch;
      });
    this.count = first;
    assert(first < 2 ** (31 - LENGTH_BITS), "the cells of a machine fit a run's header");
    this.keyed = Uint8Array.from(
      arrays.flatMap(({ places, inKey }) => places.map((place) => (inKey(place) ? 1 : 0))),
    );
    this.base = new Uint32Array(first);
    this.now = new Uint32Array(first);
    this.target = new Uint32Array(first);
    this.last = new Uint32Array(2 * first + 2);
    this.look();
    this.base.set(this.now);
    this.low = 0;
    this.high = 0;
  }

  /** Bytes of the longest key. */
  get keyBytes(): number {
    return this.count * 8;
  }

  /** Bytes of the longest saved state. */
  get stateBytes(): number {
    return this.last.length * 4;
  }

  /** Reads what the machine holds; the fingerprint follows. */
  look(): void {
    const { now, keyed, stretches } = this;
    for (let at = 0; at < stretches.length; at++) {
      const { words, places, first } = stretches[at]!;
      for (let index = 0; index < places.length; index++) {
        const value = words[places[index]!]!;
        const cell = first + index;
        const before = now[cell]!;
        if (value === before) continue;
        now[cell] = value;
        if (keyed[cell] === 0) continue;
        this.low ^= mix(cell, before, SEED_LOW) ^ mix(cell, value, SEED_LOW);
        this.high ^= mix(cell, before, SEED_HIGH) ^ mix(cell, value, SEED_HIGH);
      }
    }
  }

  /** Fingerprint of what was last looked at. */
  fingerprint(halves: Uint32Array): void {
    halves[0] = this.low;
    halves[1] = this.high;
  }

  /** Puts the machine back to the base. */
  reset(): void {
    this.target.set(this.base);
    this.lastLength = -1;
    this.put();
    this.low = 0;
    this.high = 0;
  }

  /** Writes `target` into the machine, wherever it holds something else. */
  private put(): void {
    const { now, target, stretches } = this;
    for (let at = 0; at < stretches.length; at++) {
      const { words, places, first } = stretches[at]!;
      for (let index = 0; index < places.length; index++) {
        const place = places[index]!;
        const value = target[first + index]!;
        if (words[place] !== value) words[place] = value;
        now[first + index] = value;
      }
    }
  }

  /** Saves what was last looked at. @returns bytes written */
  save(into: Uint8Array, at: number): number {
    const to = this.wordsOf(into);
    const start = (into.byteOffset + at) >>> 2;
    const { now, base, count } = this;
    to[start] = this.low;
    to[start + 1] = this.high;
    let used = start + 2;
    for (let cell = 0; cell < count; cell++) {
      if (now[cell] === base[cell]) continue;
      const end = this.endOfRun(cell);
      used = this.encodeRun(to, used, cell, end);
      cell = end - 1;
    }
    return (used - start) * 4;
  }

  /** Writes each cell of the key that differs from the base, and its value. @returns bytes written */
  key(into: Uint8Array, at: number): number {
    const to = this.wordsOf(into);
    const start = (into.byteOffset + at) >>> 2;
    const { now, base, keyed, count } = this;
    let used = start;
    for (let cell = 0; cell < count; cell++) {
      if (keyed[cell] === 0 || now[cell] === base[cell]) continue;
      to[used++] = cell;
      to[used++] = now[cell]!;
    }
    return (used - start) * 4;
  }

  /** The words of the memory in which some bytes lie, from its start on. */
  private wordsOf(bytes: Uint8Array): Uint32Array {
    if (bytes.buffer !== this.view.buffer) this.view = new Uint32Array(bytes.buffer);
    return this.view;
  }
  private view: Uint32Array = new Uint32Array(0);

  private endOfRun(from: number): number {
    const { now, base, count } = this;
    let end = from + 1;
    while (end < count && now[end] !== base[end]) end++;
    return end;
  }

  private encodeRun(to: Uint32Array, at: number, from: number, end: number): number {
    const { now } = this;
    let used = at;
    for (let cell = from; cell < end; ) {
      const stop = Math.min(end, cell + MOST);
      let same = cell + 1;
      while (same < stop && now[same] === now[cell]) same++;
      if (same - cell >= SHORTEST_FILL) {
        to[used++] = FILL | (cell << LENGTH_BITS) | (same - cell);
        to[used++] = now[cell]!;
        cell = same;
        continue;
      }
      const header = used++;
      const first = cell;
      for (; cell < stop && !this.fillsFrom(cell, stop); cell++) to[used++] = now[cell]!;
      to[header] = (first << LENGTH_BITS) | (cell - first);
    }
    return used;
  }

  private fillsFrom(cell: number, stop: number): boolean {
    const { now } = this;
    return cell + 2 < stop && now[cell] === now[cell + 1] && now[cell] === now[cell + 2];
  }

  /** Goes to a saved state. */
  restore(from: Uint8Array, at: number, length: number): void {
    const words = this.wordsOf(from);
    const start = (from.byteOffset + at) >>> 2;
    const count = length >>> 2;
    if (!this.isLast(words, start, count)) this.decode(words, start, count);
    this.put();
    this.low = this.lastLow;
    this.high = this.lastHigh;
  }

  private isLast(words: Uint32Array, start: number, count: number): boolean {
    if (count !== this.lastLength) return false;
    const { last } = this;
    for (let at = 0; at < count; at++) if (last[at] !== words[start + at]) return false;
    return true;
  }

  private decode(words: Uint32Array, start: number, count: number): void {
    const { target, last } = this;
    target.set(this.base);
    const end = start + count;
    for (let at = start + 2; at < end; ) {
      const header = words[at++]!;
      const first = (header & ~FILL) >>> LENGTH_BITS;
      const length = header & MOST;
      if ((header & FILL) !== 0) target.fill(words[at++]!, first, first + length);
      else for (let n = 0; n < length; n++) target[first + n] = words[at++]!;
    }
    for (let at = 0; at < count; at++) last[at] = words[start + at]!;
    this.lastLength = count;
    this.lastLow = words[start]!;
    this.lastHigh = words[start + 1]!;
  }
}
