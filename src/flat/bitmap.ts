/**
 * Bitmaps over bytes: bit n is bit n % 8 of byte n / 8, least significant first, as Linux lays out its bitmaps on
 * a little-endian machine. Every function takes the bytes themselves, so a bitmap may be any window of guest RAM,
 * at any alignment, and no write reaches a byte outside [from / 8, to / 8].
 *
 * Bit numbers are below 2^32 (a window of 8 PiB at 2 MiB a bit). Nothing here is allocated for short searches;
 * a search that crosses more than SHORT bytes makes one view.
 *
 * Uniform stretches are skipped through 64-bit words. Measured on Node 20.20 over 256 MiB of zeros: 21 GB/s this
 * way, where memcmp reads 35 GB/s; unrolled Uint32 loops reach 8 to 12 GB/s, Float64 loops 12 to 14 GB/s but cannot tell
 * -0 (a word with only bit 63 set) from 0. BigInt.asUintN around each OR is what keeps the words in registers: without it
 * every OR allocates. So does a comparison with a constant that is not 0n, which halves the speed.
 */

/** Bytes that a search looks at one by one before it pays for a view of words. */
const SHORT = 64;
const WORD = 8;
const WORDS_A_STEP = 16;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

const byteCount = (bits: number): number => Math.ceil(bits / 8);
/** Number of the lowest set bit of a non-zero byte. */
const lowestBit = (byte: number): number => 31 - Math.clz32(byte & -byte);

export const getBit = (bytes: Uint8Array, n: number): boolean => ((bytes[n >>> 3]! >>> (n & 7)) & 1) !== 0;

export const setBit = (bytes: Uint8Array, n: number): void => {
  bytes[n >>> 3]! |= 1 << (n & 7);
};

export const clearBit = (bytes: Uint8Array, n: number): void => {
  bytes[n >>> 3]! &= ~(1 << (n & 7));
};

/** Sets bits [from, to). An empty or reversed range sets nothing. */
export const setRange = (bytes: Uint8Array, from: number, to: number): void => {
  if (from >= to) return;
  const first = from >>> 3;
  const last = (to - 1) >>> 3;
  const head = (0xff << (from & 7)) & 0xff;
  const tail = 0xff >>> (7 - ((to - 1) & 7));
  if (first === last) {
    bytes[first]! |= head & tail;
    return;
  }
  bytes[first]! |= head;
  bytes.fill(0xff, first + 1, last);
  bytes[last]! |= tail;
};

/** Clears bits [from, to). An empty or reversed range clears nothing. */
export const clearRange = (bytes: Uint8Array, from: number, to: number): void => {
  if (from >= to) return;
  const first = from >>> 3;
  const last = (to - 1) >>> 3;
  const head = (0xff << (from & 7)) & 0xff;
  const tail = 0xff >>> (7 - ((to - 1) & 7));
  if (first === last) {
    bytes[first]! &= ~(head & tail);
    return;
  }
  bytes[first]! &= ~head;
  bytes.fill(0, first + 1, last);
  bytes[last]! &= ~tail;
};

/** The 64-bit words that lie whole and aligned inside bytes [from, to). */
const wordsInside = (bytes: Uint8Array, from: number, to: number): BigUint64Array => {
  const start = bytes.byteOffset + from;
  const misaligned = start % WORD;
  const aligned = misaligned === 0 ? start : start + WORD - misaligned;
  const words = Math.max(0, Math.floor((bytes.byteOffset + to - aligned) / WORD));
  return new BigUint64Array(bytes.buffer, words === 0 ? 0 : aligned, words);
};

/** Index of the first word at which a step of words is not all zero, or where the last whole step ends. */
const skipZeroWords = (w: BigUint64Array): number => {
  let i = 0;
  for (; i + WORDS_A_STEP <= w.length; i += WORDS_A_STEP) {
    const a = BigInt.asUintN(
      64,
      BigInt.asUintN(64, w[i]! | w[i + 1]!) | BigInt.asUintN(64, w[i + 2]! | w[i + 3]!),
    );
    const b = BigInt.asUintN(
      64,
      BigInt.asUintN(64, w[i + 4]! | w[i + 5]!) | BigInt.asUintN(64, w[i + 6]! | w[i + 7]!),
    );
    const c = BigInt.asUintN(
      64,
      BigInt.asUintN(64, w[i + 8]! | w[i + 9]!) | BigInt.asUintN(64, w[i + 10]! | w[i + 11]!),
    );
    const d = BigInt.asUintN(
      64,
      BigInt.asUintN(64, w[i + 12]! | w[i + 13]!) | BigInt.asUintN(64, w[i + 14]! | w[i + 15]!),
    );
    if (BigInt.asUintN(64, BigInt.asUintN(64, a | b) | BigInt.asUintN(64, c | d)) !== 0n) break;
  }
  return i;
};

/** Index of the first word at which a step of words is not all ones, or where the last whole step ends. */
const skipFullWords = (w: BigUint64Array): number => {
  let i = 0;
  for (; i + WORDS_A_STEP <= w.length; i += WORDS_A_STEP) {
    const a = BigInt.asUintN(
      64,
      BigInt.asUintN(64, w[i]! & w[i + 1]!) & BigInt.asUintN(64, w[i + 2]! & w[i + 3]!),
    );
    const b = BigInt.asUintN(
      64,
      BigInt.asUintN(64, w[i + 4]! & w[i + 5]!) & BigInt.asUintN(64, w[i + 6]! & w[i + 7]!),
    );
    const c = BigInt.asUintN(
      64,
      BigInt.asUintN(64, w[i + 8]! & w[i + 9]!) & BigInt.asUintN(64, w[i + 10]! & w[i + 11]!),
    );
    const d = BigInt.asUintN(
      64,
      BigInt.asUintN(64, w[i + 12]! & w[i + 13]!) & BigInt.asUintN(64, w[i + 14]! & w[i + 15]!),
    );
    if (
      BigInt.asUintN(
        64,
        BigInt.asUintN(64, BigInt.asUintN(64, a & b) & BigInt.asUintN(64, c & d)) ^ ALL_ONES,
      ) !== 0n
    )
      break;
  }
  return i;
};

/** Index of the first byte of [from, to) that differs from `uniform` (0 or 0xff), or `to`. */
const skipUniform = (bytes: Uint8Array, uniform: 0 | 0xff, from: number, to: number): number => {
  let i = from;
  const near = Math.min(to, from + SHORT);
  while (i < near && bytes[i] === uniform) i++;
  if (i < near || i === to) return i;
  const words = wordsInside(bytes, i, to);
  if (words.length >= WORDS_A_STEP) {
    while (bytes.byteOffset + i < words.byteOffset && bytes[i] === uniform) i++;
    if (bytes.byteOffset + i < words.byteOffset) return i;
    i += WORD * (uniform === 0 ? skipZeroWords(words) : skipFullWords(words));
  }
  while (i < to && bytes[i] === uniform) i++;
  return i;
};

/** First set bit of [from, nbits), or `nbits`. */
export const findNextSet = (bytes: Uint8Array, nbits: number, from: number): number => {
  if (from >= nbits) return nbits;
  const here = bytes[from >>> 3]! >>> (from & 7);
  if (here !== 0) return Math.min(from + lowestBit(here), nbits);
  const end = byteCount(nbits);
  const i = skipUniform(bytes, 0, (from >>> 3) + 1, end);
  return i === end ? nbits : Math.min(i * 8 + lowestBit(bytes[i]!), nbits);
};

/** First clear bit of [from, nbits), or `nbits`. */
export const findNextClear = (bytes: Uint8Array, nbits: number, from: number): number => {
  if (from >= nbits) return nbits;
  const here = (~bytes[from >>> 3]! & 0xff) >>> (from & 7);
  if (here !== 0) return Math.min(from + lowestBit(here), nbits);
  const end = byteCount(nbits);
  const i = skipUniform(bytes, 0xff, (from >>> 3) + 1, end);
  return i === end ? nbits : Math.min(i * 8 + lowestBit(~bytes[i]! & 0xff), nbits);
};

/** First bit of [from, nbits) set in both a and b, or `nbits`. The two may lie at different alignments. */
export const findNextBoth = (a: Uint8Array, b: Uint8Array, nbits: number, from: number): number => {
  let n = from;
  while (n < nbits) {
    const here = (a[n >>> 3]! & b[n >>> 3]!) >>> (n & 7);
    if (here !== 0) return Math.min(n + lowestBit(here), nbits);
    // Each leap starts where the other ended, so long zeros of either side are crossed once and fast.
    n = findNextSet(b, nbits, findNextSet(a, nbits, Math.min(nextByte(n), nbits)));
    // A leap lands on a bit of b; bits of the same byte before it may be set in a only, never in both.
  }
  return nbits;
};

/** First bit of [from, nbits) set in a and clear in b, or `nbits`. */
export const findNextOnlyFirst = (a: Uint8Array, b: Uint8Array, nbits: number, from: number): number => {
  let n = from;
  while (n < nbits) {
    const here = (a[n >>> 3]! & ~b[n >>> 3]! & 0xff) >>> (n & 7);
    if (here !== 0) return Math.min(n + lowestBit(here), nbits);
    n = findNextClear(b, nbits, findNextSet(a, nbits, Math.min(nextByte(n), nbits)));
  }
  return nbits;
};

const nextByte = (n: number): number => n - (n & 7) + 8;

/** Bits of the first look ahead for the end of a run; it doubles, so no run is scanned more than twice. */
const FIRST_LOOK = 1024;

/** End of the run that starts at `from`: the first bit of [from, nbits) not set in both a and b, or `nbits`. */
export const findEndOfBoth = (a: Uint8Array, b: Uint8Array, nbits: number, from: number): number => {
  let n = from;
  for (let look = FIRST_LOOK; n < nbits; look *= 2) {
    const limit = Math.min(nbits, n + look);
    const end = findNextClear(b, findNextClear(a, limit, n), n);
    if (end < limit) return end;
    n = limit;
  }
  return nbits;
};

/** End of the run that starts at `from`: the first bit of [from, nbits) clear in a or set in b, or `nbits`. */
export const findEndOfOnlyFirst = (a: Uint8Array, b: Uint8Array, nbits: number, from: number): number => {
  let n = from;
  for (let look = FIRST_LOOK; n < nbits; look *= 2) {
    const limit = Math.min(nbits, n + look);
    const end = findNextSet(b, findNextClear(a, limit, n), n);
    if (end < limit) return end;
    n = limit;
  }
  return nbits;
};

/** Set bits of a 32-bit word. */
const ones32 = (word: number): number => {
  let x = word - ((word >>> 1) & 0x5555_5555);
  x = (x & 0x3333_3333) + ((x >>> 2) & 0x3333_3333);
  x = (x + (x >>> 4)) & 0x0f0f_0f0f;
  return Math.imul(x, 0x0101_0101) >>> 24;
};

const onesInBytes = (bytes: Uint8Array, from: number, to: number): number => {
  let count = 0;
  let i = from;
  for (; i < to && (bytes.byteOffset + i) % 4 !== 0; i++) count += ones32(bytes[i]!);
  const words = Math.floor((to - i) / 4);
  if (words > 0) {
    const view = new Int32Array(bytes.buffer, bytes.byteOffset + i, words);
    for (let w = 0; w < words; w++) count += ones32(view[w]!);
    i += words * 4;
  }
  for (; i < to; i++) count += ones32(bytes[i]!);
  return count;
};

/** How many bits of [from, to) are set. */
export const countSet = (bytes: Uint8Array, from: number, to: number): number => {
  if (from >= to) return 0;
  const first = from >>> 3;
  const last = (to - 1) >>> 3;
  const head = (0xff << (from & 7)) & 0xff;
  const tail = 0xff >>> (7 - ((to - 1) & 7));
  if (first === last) return ones32(bytes[first]! & head & tail);
  return ones32(bytes[first]! & head) + onesInBytes(bytes, first + 1, last) + ones32(bytes[last]! & tail);
};

/** A maximal run of set bits, [start, end). */
export interface BitRun {
  readonly start: number;
  readonly end: number;
}

/** The maximal runs of set bits of [from, nbits), for reports; bits before `from` do not count. */
export function* setRuns(bytes: Uint8Array, nbits: number, from = 0): Generator<BitRun, void, undefined> {
  let start = findNextSet(bytes, nbits, from);
  while (start < nbits) {
    const end = findNextClear(bytes, nbits, start);
    yield { start, end };
    start = findNextSet(bytes, nbits, end);
  }
}
