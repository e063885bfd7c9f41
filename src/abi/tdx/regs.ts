import { assert } from "../../assert.ts";
import { hiHalf, loHalf } from "../word-reader.ts";

/**
 * The 16 general-purpose registers of one logical processor, two 32-bit halves each: register r lies at
 * `[2 r]` (low half) and `[2 r + 1]` (high half). The numbers are those of the instruction encoding, which
 * are also the bit numbers of a TDVMCALL's register mask.
 */
export type Regs = Uint32Array;

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
export const R8 = 8;
export const R9 = 9;
export const R10 = 10;
export const R11 = 11;
export const R12 = 12;
export const R13 = 13;
export const R14 = 14;
export const R15 = 15;

export const REGISTER_COUNT = 16;
/** Halves in one register set. */
export const REGS_LENGTH = 2 * REGISTER_COUNT;

/** Names in encoding order, for printing. */
export const REGISTER_NAMES = [
  "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
  "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15",
] as const; // biome-ignore format: two rows of eight read best
export type RegisterName = (typeof REGISTER_NAMES)[number];

export const newRegs = (): Regs => new Uint32Array(REGS_LENGTH);

export const lo = (regs: Regs, r: number): number => regs[2 * r]!;
export const hi = (regs: Regs, r: number): number => regs[2 * r + 1]!;

export const setHalves = (regs: Regs, r: number, low: number, high: number): void => {
  regs[2 * r] = low;
  regs[2 * r + 1] = high;
};

/** The register as a number; above 2^53 it is rounded, so read wide words as halves or with `getBig`. */
export const getNumber = (regs: Regs, r: number): number => regs[2 * r + 1]! * 2 ** 32 + regs[2 * r]!;

/** Writes a non-negative integer below 2^53. */
export const setNumber = (regs: Regs, r: number, value: number): void => {
  assert(Number.isSafeInteger(value) && value >= 0, "a register is given an integer that fits 53 bits");
  regs[2 * r] = loHalf(value);
  regs[2 * r + 1] = hiHalf(value);
};

export const getBig = (regs: Regs, r: number): bigint =>
  (BigInt(regs[2 * r + 1]!) << 32n) | BigInt(regs[2 * r]!);

/** Writes the low 64 bits of `value`. */
export const setBig = (regs: Regs, r: number, value: bigint): void => {
  regs[2 * r] = Number(value & 0xffff_ffffn);
  regs[2 * r + 1] = Number((value >> 32n) & 0xffff_ffffn);
};

/** A register set from values by name; the registers left out are zero. For tests and edges. */
export const regsOf = (values: { readonly [name in RegisterName]?: bigint | number }): Regs => {
  const regs = newRegs();
  for (const [name, value] of Object.entries(values)) {
    setBig(regs, REGISTER_NAMES.indexOf(name as RegisterName), BigInt(value));
  }
  return regs;
};
