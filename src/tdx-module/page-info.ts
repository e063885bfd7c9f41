import { TD_WORD, type Td } from "./td.ts";

/** Bits of the low half that a mapping of a level must leave zero: reserved 11:3 and the address below the page. */
const ZERO_LO = Uint32Array.of(0x0000_0ff8, 0x001f_fff8, 0x3fff_fff8, 0xffff_fff8, 0xffff_fff8);
const ZERO_HI = Uint32Array.of(0, 0, 0, 0x0000_007f, 0x0000_ffff);

/**
 * Whether RCX names a private page of a level up to `maxLevel`: reserved bits zero, aligned, inside the TD's
 * private address space. One test, because every failure has the same status, OPERAND_INVALID(RCX); the
 * bits from the shared bit up and the reserved bits 63:52 are one run.
 */
export const isPrivateMapping = (td: Td, lo: number, hi: number, maxLevel: number): boolean => {
  const level = lo & 7;
  return (
    level <= maxLevel &&
    ((lo & ZERO_LO[level]!) | (hi & ZERO_HI[level]!) | (hi >>> td.words[TD_WORD.PRIVATE_HI_BITS]!)) === 0
  );
};

/** Whether a GPA in two halves is private; bits 11:0 are not looked at. */
export const isPrivateGpa = (td: Td, hi: number): boolean => hi >>> td.words[TD_WORD.PRIVATE_HI_BITS]! === 0;

/** Frame number of the GPA in the halves; exact. */
export const pfnOf = (lo: number, hi: number): number => (lo >>> 12) + (hi & 0xf_ffff) * 2 ** 20;
