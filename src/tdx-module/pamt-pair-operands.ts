import { R8, RCX, RDX, type Regs } from "../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status, withDetails } from "../abi/tdx/status.ts";
import { PAGE_TYPE } from "../abi/tdx/td-state.ts";
import type { TdxModule } from "./module.ts";
import { SIZE_4K } from "./pamt.ts";
import type { PamtPairs } from "./pamt-pairs.ts";
import { COVERED, OUTSIDE } from "./tdmr.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID");
const OUT_OF_RANGE = status("OPERAND_ADDR_RANGE_ERROR");
const NOT_FREE = status("PAGE_NOT_FREE");
const LEVEL_2M = 1;
const NO_DYNAMIC_PAMT = status("OPERAND_INVALID", "RAX");
const BAD_BLOCK = status("OPERAND_INVALID", "RCX");
const BLOCK_OUTSIDE = status("OPERAND_ADDR_RANGE_ERROR", "RCX");
const BLOCK_IN_USE = status("HPA_RANGE_NOT_FREE", "RCX");

/** First frame of the block of 2 MiB that two halves of RCX name, or -1. */
const blockIn = (m: TdxModule, lo: number, hi: number): number => {
  const isBlock = (lo & 0x1f_ffff) === LEVEL_2M && hi >>> m.hpaShift === 0;
  return isBlock ? ((lo - LEVEL_2M) >>> 12) + hi * 2 ** 20 : -1;
};

/**
 * The block of 2 MiB that RCX names, on a module with dynamic PAMT: leaves its first frame in `m.frame`.
 *
 * @returns SUCCESS; OPERAND_INVALID(RAX) without dynamic PAMT; OPERAND_INVALID(RCX) or OPERAND_ADDR_RANGE_ERROR(RCX)
 */
export const checkBlockOperand = (m: TdxModule, lo: number, hi: number): Status => {
  if (m.pairs === undefined) return NO_DYNAMIC_PAMT;
  const frame = blockIn(m, lo, hi);
  if (frame < 0) return BAD_BLOCK;
  if (m.pamt.kindOf(frame) === OUTSIDE) return BLOCK_OUTSIDE;
  m.frame = frame;
  return SUCCESS;
};

const frameIn = (regs: Regs, register: number): number =>
  (regs[2 * register]! >>> 12) + regs[2 * register + 1]! * 2 ** 20;

/** A page of a TDMR. Registers and operands have the same numbers. */
const checkPlace = (m: TdxModule, regs: Regs, op: number): Status => {
  if ((regs[2 * op]! & 0xfff) !== 0 || regs[2 * op + 1]! >>> m.hpaShift !== 0)
    return withDetails(INVALID, op);
  return m.pamt.kindOf(frameIn(regs, op)) === OUTSIDE ? withDetails(OUT_OF_RANGE, op) : SUCCESS;
};

/** Whether the bitmap that dynamic PAMT has in place of the 4 KiB table marks a page: reserved, or of a pair. */
export const isMarked = (m: TdxModule, pairs: PamtPairs, frame: number): boolean =>
  pairs.isPamtPage(frame) || m.pamt.kindOf(frame) !== COVERED;

const isFreeType = (m: TdxModule, frame: number): boolean => m.pamt.type4K(frame) === PAGE_TYPE.NDA;

/** A page that is to hold metadata. */
const checkPairPage = (m: TdxModule, pairs: PamtPairs, regs: Regs, op: number): Status => {
  const badPlace = checkPlace(m, regs, op);
  if (badPlace !== SUCCESS) return badPlace;
  const frame = frameIn(regs, op);
  return isFreeType(m, frame) && !isMarked(m, pairs, frame) ? SUCCESS : withDetails(NOT_FREE, op);
};

/** Two pages that are to hold metadata. */
export interface PairPages {
  first: number;
  second: number;
}

/**
 * The pages that two registers name for a pair: free, in a TDMR, not one and the same. Leaves their frames in `into`.
 *
 * @returns SUCCESS; OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR or PAGE_NOT_FREE of the register
 */
export const checkPairPages = (
  m: TdxModule,
  pairs: PamtPairs,
  regs: Regs,
  [one, other]: readonly ["RDX", "R8"] | readonly ["R12", "R13"],
  into: PairPages,
): Status => {
  const bad = checkPairPage(m, pairs, regs, OPERAND_ID[one]);
  if (bad !== SUCCESS) return bad;
  const alsoBad = checkPairPage(m, pairs, regs, OPERAND_ID[other]);
  if (alsoBad !== SUCCESS) return alsoBad;
  into.first = frameIn(regs, OPERAND_ID[one]);
  into.second = frameIn(regs, OPERAND_ID[other]);
  return into.first === into.second ? withDetails(NOT_FREE, OPERAND_ID[other]) : SUCCESS;
};

/**
 * The operands of TDH.PHYMEM.PAMT.ADD, in the order of the module: the form of all three, where they lie, the block, what the pages
 * are, whether the bitmap marks them. Leaves the block's first frame in `m.frame` and the pages in `into`.
 *
 * @source TDX module 1.5.25, TDH.PHYMEM.PAMT.ADD
 */
export const checkAddition = (m: TdxModule, regs: Regs, into: PairPages): Status => {
  const { pairs } = m;
  if (pairs === undefined) return NO_DYNAMIC_PAMT;
  const block = blockIn(m, regs[2 * RCX]!, regs[2 * RCX + 1]!);
  if (block < 0) return BAD_BLOCK;
  for (const page of [RDX, R8]) {
    const badPlace = checkPlace(m, regs, page);
    if (badPlace !== SUCCESS) return badPlace;
  }
  if (m.pamt.kindOf(block) === OUTSIDE) return BLOCK_OUTSIDE;
  if (pairs.has(block) || m.pamt.sizeAt(block) !== SIZE_4K) return BLOCK_IN_USE;
  into.first = frameIn(regs, RDX);
  into.second = frameIn(regs, R8);
  if (!isFreeType(m, into.first)) return withDetails(NOT_FREE, RDX);
  if (!isFreeType(m, into.second)) return withDetails(NOT_FREE, R8);
  if (isMarked(m, pairs, into.first)) return withDetails(NOT_FREE, RDX);
  if (isMarked(m, pairs, into.second) || into.first === into.second) return withDetails(NOT_FREE, R8);
  m.frame = block;
  return SUCCESS;
};
