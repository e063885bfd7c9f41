/** A line: the bytes that are compared and put back at once. */
export const LINE_BYTES = 32;
export const LINE_WORDS = LINE_BYTES / 4;

/** Bytes of a line's row, which stand in the order of the lines' numbers. Its words: the line's place, and one of HASHED. */
export const ROW_BYTES = 8;

/** Which hashes a line is taken into: that of the key, or that of all else. And both. */
export const HASHED = { KEY: 1, REST: 2, ALL: 3 } as const;

/** @source splitmix64 (Steele, Lea, Flood) and MurmurHash3 (Appleby), public domain: the constants */
export const HASH = {
  line: 0x9e37_79b9_7f4a_7c15n,
  word: 0x87c3_7b91_1142_53d5n,
  first: 0xff51_afd7_ed55_8ccdn,
  second: 0xc4ce_b9fe_1a85_ec53n,
} as const;

/** What is done with lines of one memory. Lists are of lines' numbers, 32 bits each. All arguments are places in the memory, in bytes. */
export interface LineFunctions {
  /**
   * Appends the numbers of those lines of some rows to a list in which memory and copy differ. The copy is that of the first line,
   * whose number is given; the others follow it. @returns the end of the list
   */
  compare(rows: number, end: number, copy: number, number: number, list: number): number;
  /** Takes hashes of those lines of a list that are of some kinds of HASHED into 64 bits by exclusive or: those of memory, and those of the copy. */
  hash(list: number, end: number, rows: number, copy: number, sum: number, kinds: number): void;
  /** Makes memory hold the copy of the lines of a list. */
  putBack(list: number, end: number, rows: number, copy: number): void;
  /**
   * Writes blocks for those lines of a list in which memory differs from a copy, which is made the same. A block is one of
   * saved-state.ts about a single line.
   *
   * @param out has room for WRITTEN_BYTES a line, and a word @returns the end of what was written
   */
  write(list: number, end: number, rows: number, copy: number, out: number): number;
  /** Makes a copy what such blocks say. @returns the end of the list of their lines */
  read(blocks: number, end: number, copy: number, list: number): number;
}

/** Bytes of the longest block of a line. */
export const WRITTEN_BYTES = LINE_BYTES + 4;
