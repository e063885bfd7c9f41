import { DecodeError } from "../../abi/bytes.ts";

/** Where the parts of the compressed name list lie in the bytes that were searched, byte offsets. */
export interface KallsymsNames {
  readonly count: number;
  /** Where the word with the count lies. */
  readonly countAt: number;
  readonly namesAt: number;
  readonly tokenTable: number;
  /** Offset of each token's text from `tokenTable`. */
  readonly tokenIndex: Uint16Array;
  /** The first byte after the token index. */
  readonly end: number;
}

const WHAT = "kallsyms";
const TOKENS = 256;
/** Digits are always used in names, and a byte that is used stands for itself, so these tokens are in every table. */
const DIGITS = Buffer.from("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0", "latin1");
const ZERO = 0x30;
/** Symbols that one marker stands for. */
const GROUP = 256;
/** A name takes two length bytes and 512 codes at most. */
const LONGEST_NAME = 514;
/** Markers and sequence numbers of two million symbols. */
const FURTHEST_MARKERS = 8 * 2 ** 20;

const align = (at: number, to: number): number => Math.ceil(at / to) * to;

/** Starts of the tokens "0" to the last, the first of which lies at `zeroAt`; then the first byte behind them. */
const tokensFrom = (bytes: Uint8Array, zeroAt: number): number[] | undefined => {
  const starts = [zeroAt];
  for (let code = ZERO; code < TOKENS; code++) {
    const nul = bytes.indexOf(0, starts.at(-1));
    if (nul < 0) return undefined;
    starts.push(nul + 1);
  }
  return starts;
};

/** The token index that belongs to a table with "0" at `zeroAt`, and where that table starts. */
const tokensAround = (
  words: DataView,
  bytes: Uint8Array,
  zeroAt: number,
): Pick<KallsymsNames, "tokenTable" | "tokenIndex" | "end"> | undefined => {
  const starts = tokensFrom(bytes, zeroAt);
  const tableEnd = starts?.at(-1);
  if (starts === undefined || tableEnd === undefined) return undefined;
  for (const alignment of [8, 4]) {
    const at = align(tableEnd, alignment);
    if (at + 2 * TOKENS > bytes.length) return undefined;
    const index = Uint16Array.from({ length: TOKENS }, (_, code) => words.getUint16(at + 2 * code, true));
    const tokenTable = zeroAt - index[ZERO]!;
    const fits = starts.every((start, n) => ZERO + n === TOKENS || tokenTable + index[ZERO + n]! === start);
    if (fits && index[0] === 0 && tokenTable >= 0)
      return { tokenTable, tokenIndex: index, end: at + 2 * TOKENS };
  }
  return undefined;
};

/** Number of words from `at` that ascend as markers do, the first being zero; 0 if they do not begin so. */
const ascendingFrom = (words: DataView, at: number, end: number): number => {
  if (words.getUint32(at, true) !== 0) return 0;
  let last = 0;
  let n = 1;
  for (; at + 4 * (n + 1) <= end; n++) {
    const next = words.getUint32(at + 4 * n, true);
    if (next < last + 2 * GROUP || next > last + LONGEST_NAME * GROUP) break;
    last = next;
  }
  return n;
};

/** Bytes between the markers and the token table: none but padding, or three a symbol (kallsyms_seqs_of_names). */
const gapFits = (gap: number, markers: number): boolean => {
  if (gap < 8) return true;
  return gap >= 3 * GROUP * (markers - 1) && gap < 3 * GROUP * markers + 16;
};

/** Places before the token table that look like markers: where they start, and how many they are. Nearest first. */
function* markersBefore(words: DataView, tokenTable: number): Generator<{ at: number; count: number }> {
  const furthest = Math.max(0, tokenTable - FURTHEST_MARKERS);
  for (let at = (tokenTable & ~3) - 4; at >= furthest; at -= 4) {
    const count = ascendingFrom(words, at, tokenTable);
    if (count > 0 && gapFits(tokenTable - at - 4 * count, count)) yield { at, count };
  }
}

/** True if names start at `namesAt`: each group lies where its marker says, and the last ends before the markers. */
const namesFit = (
  bytes: Uint8Array,
  words: DataView,
  namesAt: number,
  count: number,
  markersAt: number,
): boolean => {
  let at = namesAt;
  for (let n = 0; n < count; n++) {
    if (n % GROUP === 0 && words.getUint32(markersAt + (n / GROUP) * 4, true) !== at - namesAt) return false;
    const low = bytes[at++]!;
    const length = low < 0x80 ? low : (low & 0x7f) | (bytes[at++]! << 7);
    at += length;
    if (length === 0 || at > markersAt) return false;
  }
  return markersAt - at < 8;
};

/** The count precedes the names, padded to 8 bytes by older builds and to 4 by newer ones. */
const namesBefore = (
  bytes: Uint8Array,
  words: DataView,
  markersAt: number,
  markers: number,
): Pick<KallsymsNames, "count" | "countAt" | "namesAt"> | undefined => {
  const lastGroup = words.getUint32(markersAt + 4 * (markers - 1), true);
  const newest = markersAt - lastGroup - 2;
  const oldest = Math.max(8, newest - LONGEST_NAME * GROUP);
  for (let namesAt = newest & ~3; namesAt >= oldest; namesAt -= 4) {
    for (const countAt of [namesAt - 8, namesAt - 4]) {
      const count = words.getUint32(countAt, true);
      if (Math.ceil(count / GROUP) !== markers) continue;
      if (namesFit(bytes, words, namesAt, count, markersAt)) return { count, countAt, namesAt };
    }
  }
  return undefined;
};

/**
 * Finds the compressed symbol names in a kernel image, without any symbol to go by.
 *
 * @param bytes the decompressed image, or its read-only data; starts at a multiple of 8 in memory
 * @throws DecodeError if there are none
 * @source Linux scripts/kallsyms.c, write_src
 */
export const findKallsymsNames = (bytes: Uint8Array): KallsymsNames => {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let tables = 0;
  for (let zeroAt = haystack.indexOf(DIGITS); zeroAt >= 0; zeroAt = haystack.indexOf(DIGITS, zeroAt + 1)) {
    const tokens = tokensAround(words, bytes, zeroAt);
    if (tokens === undefined) continue;
    tables++;
    for (const markers of markersBefore(words, tokens.tokenTable)) {
      const names = namesBefore(bytes, words, markers.at, markers.count);
      if (names !== undefined) return { ...names, ...tokens };
    }
  }
  throw new DecodeError(
    WHAT,
    0,
    "a symbol list (CONFIG_KALLSYMS)",
    tables > 0 ? "only a token table" : "none",
  );
};
