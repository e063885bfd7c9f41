import { LINE_WORDS } from "./line.ts";
import type { Mirror } from "./mirror.ts";
import type { BlockWriter } from "./saved-state.ts";

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

  /** @param words the machine's, of which the origin has a copy */
  constructor(origin: Mirror, words: Uint32Array) {
    this.origin = origin;
    this.words = words;
    this.copy = origin.copy.slice();
    this.lines = new Uint32Array(origin.firsts.length);
    this.listed = new Uint8Array(origin.firsts.length);
  }

  /** The origin is about to change in some lines, or did. */
  originMoves(lines: Uint32Array, count: number): void {
    const { listed } = this;
    for (let at = 0; at < count; at++) {
      const line = lines[at]!;
      if (listed[line] === 1) continue;
      listed[line] = 1;
      this.lines[this.count++] = line;
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

  /** Writes in what the machine differs from the tail. What the machine holds is the tail then. */
  next(writer: BlockWriter): void {
    const { origin, words, copy, lines } = this;
    this.originMoves(origin.differing, origin.count);
    for (let at = 0; at < this.count; at++) {
      const line = lines[at]!;
      const first = origin.firsts[line]!;
      const place = line * LINE_WORDS;
      writer.line(line, words, first, copy, place);
      for (let word = 0; word < LINE_WORDS; word++) copy[place + word] = words[first + word]!;
    }
    this.relist();
  }

  /** The tail differs from the origin where the machine does. */
  private relist(): void {
    const { lines, listed, origin } = this;
    for (let at = 0; at < this.count; at++) listed[lines[at]!] = 0;
    this.count = 0;
    this.originMoves(origin.differing, origin.count);
  }
}
