import { assert } from "../assert.ts";
import { type Bits, bitMask } from "./word.ts";

/** Reads a field of a word that is held as two 32-bit halves. Both halves may be signed or unsigned. */
export type Reader = (lo: number, hi: number) => number;
/** Tells whether a word that is held as two 32-bit halves has any of certain bits set. */
export type Test = (lo: number, hi: number) => boolean;

const ones = (bits: number): number => (bits === 32 ? 0xffff_ffff : 2 ** bits - 1);

/**
 * Makes a reader of bits `[high, low]` for hot paths, where no bigint is born.
 * Exact for fields of up to 53 bits; a wider field is refused when the module loads.
 */
export const reader = ([high, low]: Bits): Reader => {
  assert(63 >= high && high >= low && low >= 0 && high - low < 53, () => `${high}:${low} fits a number`);
  if (high < 32) {
    const mask = ones(high - low + 1);
    return (lo) => ((lo >>> low) & mask) >>> 0;
  }
  if (low >= 32) {
    const mask = ones(high - low + 1);
    return (_lo, hi) => ((hi >>> (low - 32)) & mask) >>> 0;
  }
  const top = ones(high - 31);
  const scale = 2 ** (32 - low);
  return (lo, hi) => (lo >>> low) + ((hi & top) >>> 0) * scale;
};

/** Makes a test for any set bit among the given fields. */
export const anyBitSet = (...fields: readonly Bits[]): Test => {
  const mask = fields.reduce((bits, field) => bits | bitMask(field), 0n);
  const maskLo = Number(mask & 0xffff_ffffn) | 0;
  const maskHi = Number(mask >> 32n) | 0;
  return (lo, hi) => ((lo & maskLo) | (hi & maskHi)) !== 0;
};

/** The low 32 bits of a non-negative integer below 2^53. */
export const loHalf = (value: number): number => value >>> 0;
/** The bits from 32 up of a non-negative integer below 2^53. */
export const hiHalf = (value: number): number => Math.floor(value / 2 ** 32);
/** The number two halves stand for. Exact only below 2^53, which the caller knows of its word. */
export const fromHalves = (lo: number, hi: number): number => (hi >>> 0) * 2 ** 32 + (lo >>> 0);
