import type { Arena } from "./arena.ts";
import { LINE_BYTES, LINE_WORDS, WRITTEN_BYTES } from "./line.ts";
import type { Mirror } from "./mirror.ts";

/**
 * The state that was saved last as one of a chain. States that are saved one after the other are mostly children of one state,
 * or of two that differ little, so few lines are looked at to find in what one differs from the other.
 */
export class Tail {
  private readonly origin: Mirror;
  private readonly words: Uint32Array;
  private readonly copy: Uint32Array;
  /** Lines in which the tail may differ from the origin: the first `count` of the list, and 1 at each of them. */
  private readonly lines: Uint32Array;
  private readonly listed: Uint8Array;
  private count = 0;
  /** Where blocks are written and read, first word in the arena. */
  private readonly blocks: number;

  constructor(origin: Mirror, arena: Arena) {
    const count = origin.firsts.length;
    this.origin = origin;
    this.words = arena.words;
    this.copy = new Uint32Array(arena.buffer, arena.take(count * LINE_BYTES), count * LINE_WORDS);
    this.lines = new Uint32Array(arena.buffer, arena.take(count * 4), count);
    this.listed = new Uint8Array(count);
    this.blocks = arena.take(count * WRITTEN_BYTES + 4) / 4;
  }

  /** The origin changed, or is about to change, in lines that its list says differ. */
  originMoves(): void {
    const { listed, lines } = this;
    const { differing, count } = this.origin;
    for (let at = 0; at < count; at++) {
      const line = differing[at]!;
      if (listed[line] === 1) continue;
      listed[line] = 1;
      lines[this.count++] = line;
    }
  }

  /** The tail is what the machine holds now, whose differences from the origin are known. */
  begin(): void {
    const { origin, words, copy } = this;
    copy.set(origin.copy);
    for (let at = 0; at < origin.count; at++) {
      const line = origin.differing[at]!;
      const first = origin.firsts[line]!;
      for (let word = 0; word < LINE_WORDS; word++) copy[line * LINE_WORDS + word] = words[first + word]!;
    }
    this.relist();
  }

  /** Writes in what the machine differs from the tail. What the machine holds is the tail then. @returns the end of what was written */
  next(to: Uint32Array, at: number): number {
    const { origin, copy, lines, words, blocks } = this;
    this.originMoves();
    const list = lines.byteOffset;
    const end = origin.write(list, list + 4 * this.count, copy.byteOffset, blocks * 4) >>> 2;
    const shift = at - blocks;
    for (let word = blocks; word < end; word++) to[word + shift] = words[word]!;
    this.relist();
    return end + shift;
  }

  /** Makes the origin's copy what blocks say that another tail wrote; it says then in which lines the machine differs. */
  read(from: Uint32Array, start: number, end: number): void {
    const { origin, words, blocks } = this;
    const shift = blocks - start;
    for (let word = start; word < end; word++) words[word + shift] = from[word]!;
    origin.read(blocks * 4, (end + shift) * 4);
    this.originMoves();
  }

  /** The tail differs from the origin where the machine does. */
  private relist(): void {
    const { lines, listed } = this;
    for (let at = 0; at < this.count; at++) listed[lines[at]!] = 0;
    this.count = 0;
    this.originMoves();
  }
}
