import { assert } from "../../../assert.ts";
import { LINE_BYTES, LINE_WORDS, type LineFunctions, ROW_BYTES } from "./line.ts";
import { type LineMemory, lineMemory } from "./line-memory.ts";

/** Copies of all lines that an arena has room for behind them, each with its tables; a tail is two of them. */
const COPIES = 8;
/** Bytes of a line in the tables of a mirror: its row, and its place in the list of those that differ. */
const TABLES = ROW_BYTES + 4;

/**
 * Several pieces of memory in one, so that all of it is compared at once. Each piece begins with a line; what is left of its
 * last line stays zero.
 */
export class Arena {
  /** All of it, the mirrors behind the pieces included. */
  readonly words: Uint32Array;
  /** Lines of all pieces together. */
  readonly lines: number;
  private readonly memory: LineMemory;
  /** By piece: its first line; behind the last one, the end. */
  private readonly firsts: readonly number[];
  private readonly sizes: readonly number[];
  private used: number;

  /** @param sizes bytes of each piece @param vectors false: see lineMemory */
  constructor(sizes: readonly number[], vectors = true) {
    const firsts = [0];
    for (const size of sizes) firsts.push(firsts.at(-1)! + Math.ceil(size / LINE_BYTES));
    this.sizes = sizes;
    this.firsts = firsts;
    this.lines = firsts.at(-1)!;
    this.used = this.lines * LINE_BYTES;
    this.memory = lineMemory(this.used + COPIES * this.lines * (LINE_BYTES + TABLES), vectors);
    this.words = new Uint32Array(this.buffer);
  }

  get buffer(): ArrayBufferLike {
    return this.memory.buffer;
  }

  /** What is done with lines of it. */
  get functions(): LineFunctions {
    return this.memory.lines;
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
