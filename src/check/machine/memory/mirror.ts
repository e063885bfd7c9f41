import { assert } from "../../../assert.ts";
import type { Arena } from "./arena.ts";
import { HASHED, LINE_BYTES, LINE_WORDS, type LineFunctions, ROW_BYTES } from "./line.ts";

/** First line of each group, and the end. */
const beginsOf = (groups: readonly number[]): number[] => {
  const begins = [0];
  for (const [line, group] of groups.entries()) {
    assert(group >= begins.length - 1, "lines are in the order of their groups");
    while (begins.length <= group) begins.push(line);
  }
  return [...begins, groups.length];
};

const hashOf = (inKey: boolean): number => (inKey ? HASHED.KEY : HASHED.REST);

/** A copy of some lines of an arena, and which of them differ from what the arena holds now. */
export class Mirror {
  /** The lines, one after the other. */
  readonly copy: Uint32Array;
  /** By line of the copy: its first word in the arena. */
  readonly firsts: Int32Array;
  /** Lines of the copy that differed when they were compared last: group by group, ascending in each. */
  readonly differing: Uint32Array;
  /** How many of them there are. */
  count = 0;
  private readonly functions: LineFunctions;
  /** By group: its first line; behind the last one, the end. */
  private readonly begins: readonly number[];
  private readonly rows: number;
  /** By line: its row, as words. */
  private readonly rowWords: Uint32Array;
  private readonly list: number;
  private readonly copied: number;
  /** What hashes are taken into: 64 bits as two words. */
  private readonly sum: Uint32Array;

  /**
   * Takes its copy of the lines.
   *
   * @param groups by line: its group, from 0 up, ascending. Left out: all are of group 0
   * @param hashed by line: whether it is hashed with the key. Left out: none is
   */
  constructor(
    arena: Arena,
    lines: readonly number[],
    groups?: readonly number[],
    hashed?: readonly boolean[],
  ) {
    const { buffer, words, functions } = arena;
    const count = lines.length;
    this.functions = functions;
    this.firsts = Int32Array.from(lines, (line) => line * LINE_WORDS);
    this.copy = new Uint32Array(buffer, arena.take(count * LINE_BYTES), count * LINE_WORDS);
    this.differing = new Uint32Array(buffer, arena.take(count * 4), count);
    this.sum = new Uint32Array(buffer, arena.take(8), 2);
    this.rows = arena.take(count * ROW_BYTES);
    this.list = this.differing.byteOffset;
    this.copied = this.copy.byteOffset;
    const rows = lines.flatMap((line, number) => [line * LINE_BYTES, hashOf(hashed?.[number] === true)]);
    this.rowWords = new Uint32Array(buffer, this.rows, 2 * count);
    this.rowWords.set(rows);
    this.begins = beginsOf(groups ?? lines.map(() => 0));
    for (const [line, first] of this.firsts.entries())
      this.copy.set(words.subarray(first, first + LINE_WORDS), line * LINE_WORDS);
  }

  /** Compares all lines. @returns how many of `differing` are true now */
  compare(): number {
    this.compareGroups(0, this.begins.length - 1);
    return this.count;
  }

  /** Compares the lines of the groups [from, to). */
  compareGroups(from: number, to: number): void {
    this.count = 0;
    this.compareToo(from, to);
  }

  /** The same, beside what was compared before. */
  compareToo(from: number, to: number): void {
    const { functions, begins, list, rows, copied } = this;
    const begin = begins[from]!;
    const [row, end] = [rows + begin * ROW_BYTES, rows + begins[to]! * ROW_BYTES];
    const behind = functions.compare(row, end, copied + begin * LINE_BYTES, begin, list + 4 * this.count);
    this.count = (behind - list) >>> 2;
  }

  /**
   * Writes what other lines hold now in which the arena differs from another copy, and makes that copy the same.
   *
   * @param list and its end, the other copy and where the blocks go: places in the arena, in bytes @returns the end of the blocks
   */
  write(list: number, end: number, other: number, out: number): number {
    return this.functions.write(list, end, this.rows, other, out);
  }

  /** Makes the copy what blocks say that `write` of another wrote: their lines differ then. */
  read(blocks: number, end: number): void {
    const { functions, copied, list } = this;
    this.count = (functions.read(blocks, end, copied, list) - list) >>> 2;
  }

  /**
   * Exclusive or of two halves of 32 bits with the hashes of lines that differ, as they are and as they were copied.
   *
   * @param kinds of lines, see HASHED @param at where the halves begin @param from and to: which of those that differ; all if left out
   */
  hash(halves: Uint32Array, kinds: number = HASHED.KEY, at = 0, from = 0, to = this.count): void {
    const { sum, functions, list, rows, copied } = this;
    sum[0] = halves[at]!;
    sum[1] = halves[at + 1]!;
    functions.hash(list + 4 * from, list + 4 * to, rows, copied, sum.byteOffset, kinds);
    halves[at] = sum[0]!;
    halves[at + 1] = sum[1]!;
  }

  /** Whether a line is hashed with the key from now on. */
  setHashed(line: number, hashed: boolean): void {
    this.rowWords[2 * line + 1] = hashOf(hashed);
  }

  /** Makes the arena hold the copy of all lines that differ. */
  putBack(): void {
    const { functions, list, rows, copied } = this;
    functions.putBack(list, list + 4 * this.count, rows, copied);
    this.count = 0;
  }
}
