import { assert } from "../../assert.ts";
import { type ComparableMemory, comparableMemory, LINE_BYTES, LINE_WORDS } from "./line-compare.ts";

/** Copies of all lines that an arena has room for behind them, each with its tables. */
const COPIES = 6;
/** Bytes of a line's row in the two tables of a mirror. */
const TABLES = 8;

/**
 * Several pieces of memory in one, so that all of it is compared at once. Each piece begins with a line; what is left of its
 * last line stays zero.
 */
export class Arena {
  /** All of it, the mirrors behind the pieces included. */
  readonly words: Uint32Array;
  /** Lines of all pieces together. */
  readonly lines: number;
  private readonly memory: ComparableMemory;
  /** By piece: its first line; behind the last one, the end. */
  private readonly firsts: readonly number[];
  private readonly sizes: readonly number[];
  private used: number;

  /** @param sizes bytes of each piece @param vectors false: see comparableMemory */
  constructor(sizes: readonly number[], vectors = true) {
    const firsts = [0];
    for (const size of sizes) firsts.push(firsts.at(-1)! + Math.ceil(size / LINE_BYTES));
    this.sizes = sizes;
    this.firsts = firsts;
    this.lines = firsts.at(-1)!;
    this.used = this.lines * LINE_BYTES;
    this.memory = comparableMemory(this.used + COPIES * this.lines * (LINE_BYTES + TABLES), vectors);
    this.words = new Uint32Array(this.buffer);
  }

  get buffer(): ArrayBufferLike {
    return this.memory.buffer;
  }

  get compare(): ComparableMemory["compare"] {
    return this.memory.compare;
  }

  get pieces(): number {
    return this.sizes.length;
  }

  /** Bytes of a piece. */
  bytesOf(piece: number): Uint8Array {
    return new Uint8Array(this.buffer, this.firstLine(piece) * LINE_BYTES, this.sizes[piece]!);
  }

  firstLine(piece: number): number {
    return this.firsts[piece]!;
  }

  /** First word of a piece, and the word behind its last line. */
  wordsOf(piece: number): readonly [first: number, end: number] {
    return [this.firsts[piece]! * LINE_WORDS, this.firsts[piece + 1]! * LINE_WORDS];
  }

  /** The piece that a view lies in; -1 if it is another memory's. */
  pieceOf({ buffer, byteOffset }: ArrayBufferView): number {
    if (buffer !== this.buffer) return -1;
    return this.pieceOfLine(Math.floor(byteOffset / LINE_BYTES));
  }

  pieceOfLine(line: number): number {
    let [low, high] = [0, this.pieces - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.firsts[middle]! <= line) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Takes room behind the pieces. @returns its first byte */
  take(bytes: number): number {
    const place = this.used;
    this.used += Math.ceil(bytes / LINE_BYTES) * LINE_BYTES;
    assert(this.used <= this.buffer.byteLength, "an arena has room for a few mirrors");
    return place;
  }
}

/** A copy of some lines of an arena, and which of them differ from what the arena holds now. */
export class Mirror {
  /** The lines, one after the other. */
  readonly copy: Uint32Array;
  /** By line of the copy: its first word in the arena. */
  readonly firsts: Int32Array;
  /** Lines of the copy that differed when they were compared last, ascending. */
  readonly differing: Uint32Array;
  private readonly arena: Arena;
  private readonly table: number;
  private readonly tableEnd: number;

  /** Takes its copy of the lines, which ascend. */
  constructor(arena: Arena, lines: readonly number[]) {
    const count = lines.length;
    this.arena = arena;
    this.firsts = Int32Array.from(lines, (line) => line * LINE_WORDS);
    this.copy = new Uint32Array(arena.buffer, arena.take(count * LINE_BYTES), count * LINE_WORDS);
    this.differing = new Uint32Array(arena.buffer, arena.take(count * 4), count);
    this.table = arena.take(count * 4);
    this.tableEnd = this.table + count * 4;
    new Uint32Array(arena.buffer, this.table, count).set(lines.map((line) => line * LINE_BYTES));
    const { words } = arena;
    for (const [line, first] of this.firsts.entries())
      this.copy.set(words.subarray(first, first + LINE_WORDS), line * LINE_WORDS);
  }

  /** Compares all lines. @returns how many of `differing` are true now */
  compare(): number {
    return this.arena.compare(this.table, this.tableEnd, this.copy.byteOffset, this.differing.byteOffset);
  }
}
