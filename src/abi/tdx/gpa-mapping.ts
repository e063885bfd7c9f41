import { assert } from "../../assert.ts";
import { word } from "../word.ts";
import { anyBitSet, fromHalves, reader } from "../word-reader.ts";

/** Page levels: 0 is 4 KiB, 1 is 2 MiB, 2 is 1 GiB, 3 is 512 GiB, 4 is 256 TiB. */
export const LEVEL_4K = 0;
export const LEVEL_2M = 1;
export const LEVEL_1G = 2;

/** Bytes that one entry of a level maps: 4096, 2 MiB, 1 GiB and so on. */
export const levelBytes = (level: number): number => 4096 * 512 ** level;

/**
 * GPA_MAPPING: RCX of ACCEPT, RELEASE and of every TDH.MEM leaf that takes a GPA. Bits 11:3 and 63:52 are zero.
 *
 * @source TDX module ABI, TDG.MEM.PAGE.ACCEPT; TDH.MEM.* page info
 */
export const GPA_MAPPING = word({ level: [2, 0], pfn: [51, 12] });

/**
 * What RELEASE on an error and ATTR.RD on success give back in RCX.
 *
 * @source OpenVMM tdcall crate, release result; TDX module ABI, TDG.MEM.PAGE.ATTR.RD
 */
export const GPA_MAPPING_RESULT = word({ level: [2, 0], pfn: [51, 12], mmio: [61, 61], pending: [62, 62] });

/** High-half bits of the result word. */
export const RESULT_MMIO_HI = 2 ** (61 - 32);
export const RESULT_PENDING_HI = 2 ** (62 - 32);

/** GPA_MAPPING read from two halves. */
export const gpaMapping = {
  level: reader([2, 0]),
  /** 4 KiB frame number, exact. */
  pfn: reader([51, 12]),
  /** Any of the bits that must be zero. */
  reserved: anyBitSet([11, 3], [63, 52]),
} as const;

/** The word as a number (it stays below 2^52): GPA in bytes, aligned to 4 KiB, and level. */
export const gpaMappingOf = (gpa: number, level: number): number => {
  assert(0 <= gpa && gpa < 2 ** 52 && gpa % 4096 === 0, () => `${gpa} is the address of a 4 KiB frame`);
  assert(0 <= level && level <= 7, () => `level ${level} fits three bits`);
  return gpa + level;
};

/** Address bits below a level's page, within the low half: they must be zero. Levels 0 to 2 only. */
const BELOW_LO = [0, 0x001f_f000, 0x3fff_f000, 0xffff_f000, 0xffff_f000] as const;
const BELOW_HI = [0, 0, 0, 0x0000_007f, 0x0000_ffff] as const;

/** Whether the GPA in the two halves is aligned to the page size of `level` (0 to 4). */
export const isAligned = (lo: number, hi: number, level: number): boolean =>
  ((lo & BELOW_LO[level]!) | (hi & BELOW_HI[level]!)) === 0;

/** The GPA in bytes, without the low 12 bits. Exact: bits 51:12 only. */
export const gpaOf = (lo: number, hi: number): number => fromHalves(lo & 0xffff_f000, hi & 0x000f_ffff);
