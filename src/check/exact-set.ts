import { assert } from "../assert.ts";
import { hashWords } from "./fingerprint.ts";
import type { System } from "./system.ts";
import { CROWDED, DEEPEST, FEWEST_SLOTS, type OwnVisitedSet } from "./visited-set.ts";

const USUAL_CHUNK_WORDS = 2 ** 18;

/** Keys one after the other, found again by the place that `append` answered. A word before each is its length. */
class KeyStore {
  bytes = 0;
  private readonly chunks: Uint32Array[] = [];
  private readonly chunkWords: number;
  private used = Number.POSITIVE_INFINITY;

  constructor(keyWords: number) {
    this.chunkWords = Math.max(USUAL_CHUNK_WORDS, keyWords + 1);
  }

  /** @returns the key's place, below 2^32 */
  append(key: Uint32Array, count: number, length: number): number {
    if (this.used + count + 1 > this.chunkWords) {
      this.chunks.push(new Uint32Array(this.chunkWords));
      this.bytes += this.chunkWords * 4;
      this.used = 0;
    }
    const place = (this.chunks.length - 1) * this.chunkWords + this.used;
    assert(place < 2 ** 32, "exact keys take less than 16 GiB");
    const chunk = this.chunks[this.chunks.length - 1]!;
    chunk[this.used] = length;
    for (let at = 0; at < count; at++) chunk[this.used + 1 + at] = key[at]!;
    this.used += count + 1;
    return place;
  }

  holds(place: number, key: Uint32Array, count: number, length: number): boolean {
    const chunk = this.chunks[Math.floor(place / this.chunkWords)]!;
    const from = place % this.chunkWords;
    if (chunk[from] !== length) return false;
    for (let at = 0; at < count; at++) if (chunk[from + 1 + at] !== key[at]) return false;
    return true;
  }
}

/** Whole keys: no state is ever taken for another. A slot is the half of a hash and the place of the key plus 1. */
export class ExactSet implements OwnVisitedSet {
  size = 0;
  private readonly keys: KeyStore;
  private readonly keyBytes: Uint8Array;
  private readonly keyWords: Uint32Array;
  private readonly halves = new Uint32Array(2);
  private readonly keepsLevels: boolean;
  private slots = 0;
  private table = new Uint32Array(0);
  private levels: Uint16Array | undefined;
  private slot = 0;

  constructor({ keyBytes, levels = false }: { readonly keyBytes: number; readonly levels?: boolean }) {
    const buffer = new ArrayBuffer(Math.ceil(keyBytes / 4) * 4);
    this.keyBytes = new Uint8Array(buffer);
    this.keyWords = new Uint32Array(buffer);
    this.keys = new KeyStore(this.keyWords.length);
    this.keepsLevels = levels;
    this.resize(FEWEST_SLOTS);
  }

  get bytes(): number {
    return this.table.byteLength + (this.levels?.byteLength ?? 0) + this.keys.bytes;
  }

  get growthBytes(): number {
    return 2 * (this.table.byteLength + (this.levels?.byteLength ?? 0));
  }

  get crowded(): boolean {
    return this.size >= this.slots * CROWDED;
  }

  get lastLevel(): number {
    return this.levels![this.slot]!;
  }

  add(system: System, level: number): boolean {
    const { keyBytes, keyWords, keys, table, halves } = this;
    const length = system.key(keyBytes, 0);
    const count = (length + 3) >>> 2;
    keyBytes.fill(0, length, count * 4);
    hashWords(keyWords, count, length, halves);
    const half = halves[0]!;
    let at = this.home(half);
    for (; table[at + 1] !== 0; at = at + 2 === table.length ? 0 : at + 2) {
      if (table[at] !== half || !keys.holds(table[at + 1]! - 1, keyWords, count, length)) continue;
      this.slot = at >>> 1;
      return false;
    }
    table[at] = half;
    table[at + 1] = keys.append(keyWords, count, length) + 1;
    this.slot = at >>> 1;
    if (this.levels !== undefined) this.levels[this.slot] = Math.min(level, DEEPEST);
    this.size++;
    return true;
  }

  lowerLevel(level: number): void {
    this.levels![this.slot] = Math.min(level, DEEPEST);
  }

  private home(half: number): number {
    return 2 * Math.floor(half * (this.slots / 2 ** 32));
  }

  private resize(slots: number): void {
    assert(slots <= 2 ** 31, "a table has a sane number of slots");
    this.slots = slots;
    this.table = new Uint32Array(2 * slots);
    if (this.keepsLevels) this.levels = new Uint16Array(slots);
  }

  grow(): void {
    const { table: before, levels } = this;
    this.resize(this.slots * 2);
    const { table } = this;
    for (let from = 0; from < before.length; from += 2) {
      if (before[from + 1] === 0) continue;
      let at = this.home(before[from]!);
      while (table[at + 1] !== 0) at = at + 2 === table.length ? 0 : at + 2;
      table[at] = before[from]!;
      table[at + 1] = before[from + 1]!;
      if (this.levels !== undefined) this.levels[at >>> 1] = levels![from >>> 1]!;
    }
  }
}
