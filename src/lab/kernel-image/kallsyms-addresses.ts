import { DecodeError } from "../../abi/bytes.ts";
import type { KallsymsNames } from "./kallsyms-names.ts";

/** Addresses of the symbols, in the order of their names. */
export interface KallsymsAddresses {
  /** Which of the builds' layouts was found. */
  readonly layout: "offsets before names" | "offsets after names" | "place-relative";
  /** Address that offsets count from, before relocation. */
  readonly base: bigint;
  /** Offset from `base`, or the value itself where `absolute` is 1. */
  readonly values: Uint32Array;
  /** 1 for a symbol that does not move with the kernel: an offset into per-CPU data, or a constant. */
  readonly absolute: Uint8Array;
}

const WHAT = "kallsyms addresses";
/** Lowest address that a kernel's text is linked at. */
const KERNEL_START = 0xffff_ffff_8000_0000n;

const align = (at: number, to: number): number => Math.ceil(at / to) * to;

/** Offsets that count from a base: plain ones, or (absolute-percpu) negative if they do, counted from -1. */
const relative = (
  words: DataView,
  offsetsAt: number,
  baseAt: number,
  count: number,
): Omit<KallsymsAddresses, "layout"> | undefined => {
  if (offsetsAt < 0 || baseAt + 8 > words.byteLength) return undefined;
  const base = words.getBigUint64(baseAt, true);
  if (base < KERNEL_START) return undefined;
  const offsets = Int32Array.from({ length: count }, (_, n) => words.getInt32(offsetsAt + 4 * n, true));
  const negative = offsets.reduce((sum, offset) => sum + (offset < 0 ? 1 : 0), 0);
  const values = new Uint32Array(count);
  const absolute = new Uint8Array(count);
  // With absolute-percpu all but a few are negative; without, an image below 2 GiB has none.
  const absolutePercpu = negative > 0;
  for (let n = 0; n < count; n++) {
    const offset = offsets[n]!;
    values[n] = absolutePercpu && offset < 0 ? -1 - offset : offset;
    absolute[n] = absolutePercpu && offset >= 0 ? 1 : 0;
  }
  return isSorted(values, absolute) ? { base, values, absolute } : undefined;
};

/** Symbols are listed by address, those that do not move before the others. */
const isSorted = (values: Uint32Array, absolute: Uint8Array): boolean => {
  for (let n = 1; n < values.length; n++) {
    if (absolute[n]! > absolute[n - 1]!) return false;
    if (absolute[n] === absolute[n - 1] && values[n]! < values[n - 1]!) return false;
  }
  return true;
};

/** Each offset counts from its own place. The first symbol starts the image, or else any words would do. */
const placeRelative = (
  words: DataView,
  offsetsAt: number,
  count: number,
  image: LinkedImage,
): Omit<KallsymsAddresses, "layout"> | undefined => {
  const place = image.addressOf(offsetsAt);
  if (place === undefined || count === 0 || offsetsAt + 4 * count > words.byteLength) return undefined;
  const first = words.getInt32(offsetsAt, true);
  const base = place + BigInt(first);
  if (base < KERNEL_START || !image.startsAt(base)) return undefined;
  const values = new Uint32Array(count);
  for (let n = 0; n < count; n++) {
    const distance = words.getInt32(offsetsAt + 4 * n, true) + 4 * n - first;
    if (distance < 0 || distance >= 2 ** 32) return undefined;
    values[n] = distance;
  }
  const absolute = new Uint8Array(count);
  return isSorted(values, absolute) ? { base, values, absolute } : undefined;
};

/** What the layouts need to know of where the image is linked. */
export interface LinkedImage {
  /** The address of a byte of what is searched. */
  addressOf(offset: number): bigint | undefined;
  /** True if a part of the image starts at this address. */
  startsAt(address: bigint): boolean;
}

/**
 * Reads the symbols' addresses, in whichever of the layouts of Linux 4.6 to 7.x they are.
 *
 * @param bytes what `names` was found in
 * @throws DecodeError if no layout fits
 * @source Linux scripts/kallsyms.c, write_src: before 6.4 offsets and base precede the names, since then they
 *   follow; absolute-percpu ended with 6.15; offsets relative to their own place were read off a 7.3 image
 */
export const readKallsymsAddresses = (
  bytes: Uint8Array,
  names: KallsymsNames,
  image: LinkedImage,
): KallsymsAddresses => {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { count, countAt, end } = names;
  for (const alignment of [8, 4]) {
    const at = align(end, alignment);
    const after = relative(words, at, align(at + 4 * count, 8), count);
    if (after !== undefined) return { layout: "offsets after names", ...after };
  }
  const baseAt = countAt - 8;
  const before = relative(words, align(baseAt - 4 * count - 7, 8), baseAt, count);
  if (before !== undefined) return { layout: "offsets before names", ...before };
  for (const alignment of [4, 8]) {
    const places = placeRelative(words, align(end, alignment), count, image);
    if (places !== undefined) return { layout: "place-relative", ...places };
  }
  const expected = `offsets of ${count} symbols beside their names, in ascending order`;
  throw new DecodeError(WHAT, end, expected, "none of the known layouts");
};
