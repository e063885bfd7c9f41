import { assert } from "../../assert.ts";
import { type Arena, Mirror } from "./arena.ts";
import { LINE_WORDS } from "./line-compare.ts";
import {
  BlockWriter,
  blockWords,
  lineOf,
  linesFilled,
  MOST_SAVED_LINES,
  maskOf,
  SAVED_HEADER,
} from "./saved-state.ts";

/** Lines of the machine's memory: what of it is saved, and what of that tells states from one another. */
export interface CellLines {
  /** Numbers of lines in the arena, ascending. */
  readonly lines: readonly number[];
  /** By place in `lines`: whether the line tells states apart; false for what no later step looks at. */
  readonly inKey: readonly boolean[];
}

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
 * what differs from it mixed in, going back to the origin writes these lines only, and a state is saved as the origin was with
 * these lines instead of its own.
 */
export class Cells {
  readonly count: number;
  private readonly words: Uint32Array;
  /** By line: 1 if it is part of the key. */
  private readonly keyed: Uint8Array;
  private readonly base: Mirror;
  private readonly origin: Mirror;
  /** The origin as it was saved. */
  private readonly saved: Uint32Array;
  private savedLength = SAVED_HEADER;
  private readonly writer = new BlockWriter();
  /** Blocks of the record that is being restored that the origin does not have. */
  private readonly fresh: Uint32Array;
  /** Lines that differ from the origin, if the machine did not move since. */
  private touched = 0;
  private compared = false;
  private hashed = false;
  private low = 0;
  private high = 0;
  private view: Uint32Array = new Uint32Array(0);

  /** The base is what the lines hold now. */
  constructor(arena: Arena, { lines, inKey }: CellLines) {
    this.count = lines.length * LINE_WORDS;
    assert(lines.length < MOST_SAVED_LINES, "the lines of a machine fit a block's header");
    this.words = arena.words;
    this.keyed = Uint8Array.from(inKey, Number);
    this.base = new Mirror(arena, lines);
    this.origin = new Mirror(arena, lines);
    this.saved = new Uint32Array(SAVED_HEADER + lines.length * (LINE_WORDS + 1));
    this.fresh = new Uint32Array(lines.length);
  }

  /** Bytes of the longest key. */
  get keyBytes(): number {
    return this.count * 8;
  }

  /** Bytes of the longest saved state. */
  get stateBytes(): number {
    return this.saved.length * 4;
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
    const { words, keyed, origin, saved } = this;
    const { differing, firsts, copy } = origin;
    let low = saved[0]!;
    let high = saved[1]!;
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
    this.goBack();
    this.become(NOTHING, 0, SAVED_HEADER);
  }

  /** Writes the origin into the machine, wherever it holds something else. */
  goBack(): void {
    this.compare();
    const { differing, copy } = this.origin;
    for (let at = 0; at < this.touched; at++) this.putLine(differing[at]!, copy);
    this.touched = 0;
    this.hashed = false;
  }

  /** Makes the machine hold a line of a copy. */
  private putLine(line: number, copy: Uint32Array): void {
    const { words } = this;
    const first = this.origin.firsts[line]!;
    const from = line * LINE_WORDS;
    for (let word = 0; word < LINE_WORDS; word++) words[first + word] = copy[from + word]!;
  }

  /** Saves what the machine holds now. @returns bytes written */
  save(into: Uint8Array, at: number): number {
    this.hash();
    const to = this.wordsOf(into);
    const start = (into.byteOffset + at) >>> 2;
    to[start] = this.low;
    to[start + 1] = this.high;
    const { writer, saved, savedLength } = this;
    writer.begin(to, start + SAVED_HEADER);
    let next = 0;
    for (let block = SAVED_HEADER; block < savedLength; block += blockWords(saved[block]!))
      next = this.saveBlock(block, next);
    this.saveTouched(next, MOST_SAVED_LINES);
    return (writer.used - start) * 4;
  }

  /** Saves a block of the origin's, and the touched lines up to its end. @returns the place of the first one behind it */
  private saveBlock(block: number, next: number): number {
    const { writer, saved, touched } = this;
    const { differing } = this.origin;
    const header = saved[block]!;
    const line = lineOf(header);
    let after = this.saveTouched(next, line);
    const filled = linesFilled(header);
    if (filled === 0) {
      if (after === touched || differing[after] !== line) writer.copy(saved, block);
      return after;
    }
    const value = saved[block + 1]!;
    let from = line;
    while (after < touched && differing[after]! < line + filled) {
      const end = differing[after]!;
      if (end > from) writer.fill(from, end - from, value);
      after = this.saveTouched(after, end + 1);
      from = end + 1;
    }
    if (from < line + filled) writer.fill(from, line + filled - from, value);
    return after;
  }

  /** Saves the touched lines below one, from a place among them on. @returns the place of the first that is not below */
  private saveTouched(from: number, below: number): number {
    const { writer, words, touched, origin, base } = this;
    const { differing, firsts } = origin;
    let at = from;
    for (; at < touched && differing[at]! < below; at++) {
      const line = differing[at]!;
      writer.line(line, words, firsts[line]!, base.copy, line * LINE_WORDS);
    }
    return at;
  }

  /** Writes each cell of the key that differs from the base, and its value. @returns bytes written */
  key(into: Uint8Array, at: number): number {
    const to = this.wordsOf(into);
    const start = (into.byteOffset + at) >>> 2;
    const { words, keyed, base } = this;
    const { differing, firsts, copy } = base;
    const lines = base.compare();
    let used = start;
    for (let place = 0; place < lines; place++) {
      const line = differing[place]!;
      if (keyed[line] === 0) continue;
      for (let word = 0; word < LINE_WORDS; word++) {
        const cell = line * LINE_WORDS + word;
        const value = words[firsts[line]! + word]!;
        if (value === copy[cell]) continue;
        to[used++] = cell;
        to[used++] = value;
      }
    }
    return (used - start) * 4;
  }

  /** The words of the memory in which some bytes lie, from its start on. */
  private wordsOf(bytes: Uint8Array): Uint32Array {
    if (bytes.buffer !== this.view.buffer) this.view = new Uint32Array(bytes.buffer);
    return this.view;
  }

  /** Goes to a saved state, which is the origin then. */
  restore(from: Uint8Array, at: number, length: number): void {
    const words = this.wordsOf(from);
    const start = (from.byteOffset + at) >>> 2;
    const count = length >>> 2;
    this.goBack();
    if (!this.isOrigin(words, start, count)) this.become(words, start, count);
  }

  private isOrigin(words: Uint32Array, start: number, count: number): boolean {
    if (count !== this.savedLength) return false;
    const { saved } = this;
    for (let at = 0; at < count; at++) if (saved[at] !== words[start + at]) return false;
    return true;
  }

  /** Makes machine and origin what was saved, where the origin was saved in another way. */
  private become(words: Uint32Array, start: number, count: number): void {
    const { saved, fresh } = this;
    const end = start + count;
    let blocks = 0;
    let there = start + SAVED_HEADER;
    for (let here = SAVED_HEADER; here < this.savedLength; here += blockWords(saved[here]!)) {
      while (there < end && lineOf(words[there]!) < lineOf(saved[here]!)) {
        fresh[blocks++] = there;
        there += blockWords(words[there]!);
      }
      if (there < end && this.isSameBlock(here, words, there)) there += blockWords(words[there]!);
      else this.dropBlock(saved[here]!);
    }
    for (; there < end; there += blockWords(words[there]!)) fresh[blocks++] = there;
    for (let block = 0; block < blocks; block++) this.putBlock(words, fresh[block]!);
    for (let at = 0; at < count; at++) saved[at] = words[start + at]!;
    this.savedLength = count;
  }

  private isSameBlock(here: number, words: Uint32Array, there: number): boolean {
    const { saved } = this;
    const length = blockWords(saved[here]!);
    for (let at = 0; at < length; at++) if (saved[here + at] !== words[there + at]) return false;
    return true;
  }

  /** Lines of a block are as in the base. */
  private dropBlock(header: number): void {
    const { origin, base } = this;
    const line = lineOf(header);
    const end = line + Math.max(1, linesFilled(header));
    for (let at = line; at < end; at++) {
      const from = at * LINE_WORDS;
      for (let word = from; word < from + LINE_WORDS; word++) origin.copy[word] = base.copy[word]!;
      this.putLine(at, base.copy);
    }
  }

  /** Lines of a block are as it says. */
  private putBlock(words: Uint32Array, block: number): void {
    const { copy } = this.origin;
    const header = words[block]!;
    const line = lineOf(header);
    const filled = linesFilled(header);
    if (filled > 0) copy.fill(words[block + 1]!, line * LINE_WORDS, (line + filled) * LINE_WORDS);
    let value = block + 1;
    for (let word = 0, mask = maskOf(header); mask !== 0; word++, mask >>>= 1)
      if ((mask & 1) !== 0) copy[line * LINE_WORDS + word] = words[value++]!;
    for (let at = line; at < line + Math.max(1, filled); at++) this.putLine(at, copy);
  }
}

/** The base, saved. */
const NOTHING = new Uint32Array(SAVED_HEADER);
