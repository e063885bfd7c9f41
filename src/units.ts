import { assert } from "./assert.ts";

declare const unit: unique symbol;

/** Guest-physical address in bytes, 0 to 2^52 - 1. Without the shared bit unless the name says so. */
export type Gpa = number & { readonly [unit]: "guest-physical byte address" };
/** Host-physical address in bytes, 0 to 2^52 - 1. */
export type Hpa = number & { readonly [unit]: "host-physical byte address" };
/** Number of a 4 KiB guest frame, 0 to 2^40 - 1. */
export type Pfn = number & { readonly [unit]: "4 KiB guest frame" };
/** Number of a 4 KiB host frame, 0 to 2^40 - 1. */
export type Hfn = number & { readonly [unit]: "4 KiB host frame" };

export const KIB = 2 ** 10;
export const MIB = 2 ** 20;
export const GIB = 2 ** 30;
export const TIB = 2 ** 40;
export const PIB = 2 ** 50;
/** Bytes of a base page. */
export const PAGE_SIZE = 4096;

const address = (n: number | bigint, kind: string): number => {
  const value = Number(n);
  assert(Number.isInteger(value) && 0 <= value && value < 2 ** 52, () => `${n} is a ${kind}`);
  return value;
};

export const gpa = (n: number | bigint): Gpa => address(n, "guest-physical address") as Gpa;
export const hpa = (n: number | bigint): Hpa => address(n, "host-physical address") as Hpa;

const frame = (n: number | bigint, kind: string): number => {
  const value = Number(n);
  assert(Number.isInteger(value) && 0 <= value && value < 2 ** 40, () => `${n} is a ${kind}`);
  return value;
};

export const pfn = (n: number | bigint): Pfn => frame(n, "guest frame number") as Pfn;
export const hfn = (n: number | bigint): Hfn => frame(n, "host frame number") as Hfn;

/** Largest multiple of `grain` that is not above `n`. `grain` need not be a power of two; both below 2^53. */
export const roundDown = (n: number, grain: number): number => n - (n % grain);
/** Smallest multiple of `grain` that is not below `n`. */
export const roundUp = (n: number, grain: number): number => {
  const rest = n % grain;
  return rest === 0 ? n : n + (grain - rest);
};
