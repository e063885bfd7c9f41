import { assert } from "../assert.ts";
import { clearRange, countSet, findNextClear, findNextSet, getBit, setRange } from "../flat/bitmap.ts";

/** Pages of one unit of 2 MiB. */
export const UNIT_PAGES = 512;
const UNIT_BYTES = UNIT_PAGES / 8;

const EMPTY = 0;
const FULL = -1;

const USED = 0;
const FREE_HEAD = 1;
const COUNT = 2;

/**
 * A set of 4 KiB pages, numbered from 0, that costs four bytes a unit of 2 MiB where a unit is in it wholly
 * or not at all. Only a unit that is in it partly has a bitmap, in a pool that grows.
 */
export class PageSet {
  readonly pages: number;
  /** Bitmaps ever used, first free bitmap + 1, pages in the set. */
  readonly words = new Float64Array(3);
  /** A unit: EMPTY, FULL, or the number of its bitmap + 1. */
  readonly units: Int32Array;
  private bits = new Uint8Array(0);
  /** Pages in a bitmap; of a free one, the next free one + 1. */
  private counts = new Uint32Array(0);

  constructor(pages: number, full = false) {
    assert(Number.isInteger(pages) && 0 <= pages && pages < 2 ** 32, () => `${pages} pages fit a set`);
    this.pages = pages;
    this.units = new Int32Array(Math.ceil(pages / UNIT_PAGES));
    this.reset(full);
  }

  /** Pages in the set. */
  get count(): number {
    return this.words[COUNT]!;
  }

  has(page: number): boolean {
    const state = this.units[page >>> 9]!;
    if (state <= 0) return state === FULL;
    return getBit(this.bits, (state - 1) * UNIT_PAGES + (page & 511));
  }

  /** Whether every page of a unit is in the set. */
  hasUnit(unit: number): boolean {
    return this.units[unit] === FULL;
  }

  /** Whether no page of a unit is in the set. */
  lacksUnit(unit: number): boolean {
    return this.units[unit] === EMPTY;
  }

  /** Puts one page in. @returns whether it was not there before */
  add(page: number): boolean {
    const unit = page >>> 9;
    let state = this.units[unit]!;
    if (state === FULL) return false;
    if (state === EMPTY) state = this.open(unit, 0);
    const bit = (state - 1) * UNIT_PAGES + (page & 511);
    const mask = 1 << (bit & 7);
    const byte = this.bits[bit >>> 3]!;
    if ((byte & mask) !== 0) return false;
    this.bits[bit >>> 3] = byte | mask;
    this.words[COUNT]!++;
    const count = ++this.counts[state - 1]!;
    if (count === UNIT_PAGES || count === this.pages - unit * UNIT_PAGES) this.close(unit, FULL);
    return true;
  }

  /** Puts pages [from, to) in. @returns how many were not there before */
  addRange(from: number, to: number): number {
    return this.change(from, to, true);
  }

  /** Takes pages [from, to) out. @returns how many were there */
  removeRange(from: number, to: number): number {
    return this.change(from, to, false);
  }

  /** How many of pages [from, to) are in the set. */
  countIn(from: number, to: number): number {
    let count = 0;
    for (let page = from; page < to; ) {
      const unit = page >>> 9;
      const end = Math.min(to, (unit + 1) * UNIT_PAGES);
      const state = this.units[unit]!;
      if (state === FULL) count += end - page;
      else if (state !== EMPTY) {
        const base = (state - 1) * UNIT_PAGES - unit * UNIT_PAGES;
        count += countSet(this.bits, base + page, base + end);
      }
      page = end;
    }
    return count;
  }

  /** First page of [from, to) in the set, or `to`. */
  next(from: number, to: number): number {
    let page = from;
    while (page < to) {
      const unit = page >>> 9;
      const state = this.units[unit]!;
      if (state === FULL) return page;
      const end = Math.min(to, (unit + 1) * UNIT_PAGES);
      if (state !== EMPTY) {
        const base = (state - 1) * UNIT_PAGES - unit * UNIT_PAGES;
        const found = findNextSet(this.bits, base + end, base + page) - base;
        if (found < end) return found;
      }
      page = end;
    }
    return to;
  }

  /** First page of [from, to) that is not in the set, or `to`. */
  nextMissing(from: number, to: number): number {
    let page = from;
    while (page < to) {
      const unit = page >>> 9;
      const state = this.units[unit]!;
      if (state === EMPTY) return page;
      const end = Math.min(to, (unit + 1) * UNIT_PAGES);
      if (state !== FULL) {
        const base = (state - 1) * UNIT_PAGES - unit * UNIT_PAGES;
        const found = findNextClear(this.bits, base + end, base + page) - base;
        if (found < end) return found;
      }
      page = end;
    }
    return to;
  }

  /** Makes the set empty or full. */
  reset(full: boolean): void {
    this.units.fill(full ? FULL : EMPTY);
    this.words.fill(0);
    this.words[COUNT] = full ? this.pages : 0;
  }

  private change(from: number, to: number, put: boolean): number {
    assert(0 <= from && from <= to && to <= this.pages, "a range of pages lies in the set");
    const before = this.count;
    for (let page = from; page < to; ) {
      const unit = page >>> 9;
      const end = Math.min(to, (unit + 1) * UNIT_PAGES);
      this.changeUnit(unit, page & 511, end - unit * UNIT_PAGES, put);
      page = end;
    }
    return Math.abs(this.count - before);
  }

  private changeUnit(unit: number, first: number, end: number, put: boolean): void {
    const state = this.units[unit]!;
    const pages = this.pagesOf(unit);
    const target = put ? FULL : EMPTY;
    if (state === target) return;
    const before = state === FULL ? pages : state === EMPTY ? 0 : this.counts[state - 1]!;
    if (first === 0 && end === pages) {
      this.words[COUNT]! += (put ? pages : 0) - before;
      if (state > 0) this.close(unit, target);
      else this.units[unit] = target;
      return;
    }
    const slot = (state > 0 ? state : this.open(unit, before)) - 1;
    const base = slot * UNIT_PAGES;
    const held = countSet(this.bits, base + first, base + end);
    (put ? setRange : clearRange)(this.bits, base + first, base + end);
    const after = before - held + (put ? end - first : 0);
    this.counts[slot] = after;
    this.words[COUNT]! += after - before;
    if (after === 0) this.close(unit, EMPTY);
    else if (after === pages) this.close(unit, FULL);
  }

  private pagesOf(unit: number): number {
    return Math.min(UNIT_PAGES, this.pages - unit * UNIT_PAGES);
  }

  /** Gives a uniform unit a bitmap with its first `count` pages, all or none, in it. */
  private open(unit: number, count: number): number {
    let state = this.words[FREE_HEAD]!;
    if (state !== 0) this.words[FREE_HEAD] = this.counts[state - 1]!;
    else {
      state = ++this.words[USED]!;
      if (state > this.counts.length) this.grow(state);
    }
    const base = (state - 1) * UNIT_BYTES;
    this.bits.fill(0, base, base + UNIT_BYTES);
    setRange(this.bits, base * 8, base * 8 + count);
    this.counts[state - 1] = count;
    this.units[unit] = state;
    return state;
  }

  private close(unit: number, uniform: number): void {
    const state = this.units[unit]!;
    this.counts[state - 1] = this.words[FREE_HEAD]!;
    this.words[FREE_HEAD] = state;
    this.units[unit] = uniform;
  }

  private grow(needed: number): void {
    let slots = Math.max(4, this.counts.length);
    while (slots < needed) slots *= 2;
    const bits = new Uint8Array(slots * UNIT_BYTES);
    bits.set(this.bits);
    const counts = new Uint32Array(slots);
    counts.set(this.counts);
    this.bits = bits;
    this.counts = counts;
  }

  /** Every byte of the state: `words` first, because it tells how long the pool is. */
  flat(): readonly Uint8Array[] {
    const used = this.words[USED]!;
    return [
      new Uint8Array(this.words.buffer),
      new Uint8Array(this.units.buffer),
      this.bits.subarray(0, used * UNIT_BYTES),
      new Uint8Array(this.counts.buffer, 0, used * 4),
    ];
  }

  /** Makes the pool as long as `words`, just loaded, tells. */
  reserve(): void {
    if (this.words[USED]! > this.counts.length) this.grow(this.words[USED]!);
  }
}
