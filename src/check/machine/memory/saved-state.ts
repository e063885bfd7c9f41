import { LINE_WORDS } from "./line.ts";

/*
 * A saved state, as words: its fingerprint, then blocks, one behind the other in the order of their lines. A block is a header and
 * values: those words of one line that differ from the base, or from the state saved before, or the one value of all words of several lines.
 */

/** Words before the first block: the halves of the fingerprint. */
export const SAVED_HEADER = 2;
export const LINE_SHIFT = 16;
const COUNT_SHIFT = 8;
const MASK = 0xff;
const MOST_LINES = 0xff;
/** In a header: its one line is filled. */
export const ONE_FILLED = 1 << COUNT_SHIFT;
/** More lines than this a header cannot name. */
export const MOST_SAVED_LINES = 2 ** LINE_SHIFT;

export const lineOf = (header: number): number => header >>> LINE_SHIFT;
/** Lines that a block of one value fills; 0: it is about some words of one line. */
export const linesFilled = (header: number): number => (header >>> COUNT_SHIFT) & MOST_LINES;
/** One bit a word of the line. */
export const maskOf = (header: number): number => header & MASK;
/** Of a block about some words of one line. */
export const headerOf = (line: number, mask: number): number => (line << LINE_SHIFT) | mask;

const BITS = Uint8Array.from(
  { length: 256 },
  (_, mask) => [...mask.toString(2)].filter((bit) => bit === "1").length,
);

/** Words of a block, its header included. */
export const blockWords = (header: number): number =>
  linesFilled(header) > 0 ? 2 : 1 + BITS[header & MASK]!;

/** Makes lines, which stand in the order of their numbers, what a block says. */
export const takeBlock = (words: Uint32Array, block: number, lines: Uint32Array): void => {
  const header = words[block]!;
  const first = lineOf(header) * LINE_WORDS;
  const filled = linesFilled(header);
  if (filled > 0) lines.fill(words[block + 1]!, first, first + filled * LINE_WORDS);
  let value = block + 1;
  for (let word = first, mask = maskOf(header); mask !== 0; word++, mask >>>= 1)
    if ((mask & 1) !== 0) lines[word] = words[value++]!;
};

/** Writes blocks, in the order of their lines. */
export class BlockWriter {
  /** Where the next block goes. */
  used = 0;
  private to: Uint32Array = new Uint32Array(0);
  /** Where the last block lies, if it fills lines. */
  private lastFill = -1;

  begin(to: Uint32Array, at: number): void {
    this.to = to;
    this.used = at;
    this.lastFill = -1;
  }

  /** `count` lines from `line` hold one value. */
  fill(line: number, count: number, value: number): void {
    const { to, lastFill } = this;
    if (lastFill >= 0 && to[lastFill + 1] === value) {
      const header = to[lastFill]!;
      const lines = linesFilled(header) + count;
      if (lineOf(header) + linesFilled(header) === line && lines <= MOST_LINES) {
        to[lastFill] = header + (count << COUNT_SHIFT);
        return;
      }
    }
    this.lastFill = this.used;
    to[this.used++] = (line << LINE_SHIFT) | (count << COUNT_SHIFT);
    to[this.used++] = value;
  }

  /** A line as it is: the words from `first` on, against those of the base from `baseFirst` on. */
  line(line: number, words: Uint32Array, first: number, base: Uint32Array, baseFirst: number): void {
    const { to } = this;
    const header = this.used;
    const value = words[first]!;
    let mask = 0;
    let same = 0;
    let used = header + 1;
    for (let word = 0; word < LINE_WORDS; word++) {
      const there = words[first + word]!;
      if (there === value) same++;
      if (there === base[baseFirst + word]) continue;
      mask |= 1 << word;
      to[used++] = there;
    }
    if (mask === 0) return;
    if (same === LINE_WORDS) {
      this.fill(line, 1, value);
      return;
    }
    to[header] = headerOf(line, mask);
    this.used = used;
    this.lastFill = -1;
  }
}
