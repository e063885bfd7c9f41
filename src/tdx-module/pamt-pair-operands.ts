import type { Regs } from "../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status, withDetails } from "../abi/tdx/status.ts";
import { PAGE_TYPE } from "../abi/tdx/td-state.ts";
import type { TdxModule } from "./module.ts";
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

/**
 * The block of 2 MiB that RCX names, on a module with dynamic PAMT: leaves its first frame in `m.frame`.
 *
 * @returns SUCCESS; OPERAND_INVALID(RAX) without dynamic PAMT; OPERAND_INVALID(RCX) or OPERAND_ADDR_RANGE_ERROR(RCX)
 */
export const checkBlockOperand = (m: TdxModule, lo: number, hi: number): Status => {
  if (m.pairs === undefined) return NO_DYNAMIC_PAMT;
  if ((lo & 0x1f_ffff) !== LEVEL_2M || hi >>> m.hpaShift !== 0) return BAD_BLOCK;
  const frame = ((lo - LEVEL_2M) >>> 12) + hi * 2 ** 20;
  if (m.pamt.kindOf(frame) === OUTSIDE) return BLOCK_OUTSIDE;
  m.frame = frame;
  return SUCCESS;
};

const frameIn = (regs: Regs, register: number): number =>
  (regs[2 * register]! >>> 12) + regs[2 * register + 1]! * 2 ** 20;

/** A page that is to hold metadata. Registers and operands have the same numbers. */
const checkPairPage = (m: TdxModule, pairs: PamtPairs, regs: Regs, op: number): Status => {
  if ((regs[2 * op]! & 0xfff) !== 0 || regs[2 * op + 1]! >>> m.hpaShift !== 0)
    return withDetails(INVALID, op);
  const frame = frameIn(regs, op);
  const kind = m.pamt.kindOf(frame);
  if (kind === OUTSIDE) return withDetails(OUT_OF_RANGE, op);
  const isFree = kind === COVERED && m.pamt.type4K(frame) === PAGE_TYPE.NDA && !pairs.isPamtPage(frame);
  return isFree ? SUCCESS : withDetails(NOT_FREE, op);
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
