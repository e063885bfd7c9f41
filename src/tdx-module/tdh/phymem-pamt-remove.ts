import { R8, RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { type Status, status, withDetails } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import type { TdxModule } from "../module.ts";
import { checkBlockOperand } from "../pamt-pair-operands.ts";

const SUCCESS = status("SUCCESS");
const NO_PAIR = status("NO_PAMT_PAGE_PAIR", "RCX");
const NOT_EMPTY = status("PAMT_PAGE_NOT_EMPTY");
const PAGES = 512;
/** Pages whose metadata one page holds. */
const PER_PAGE = 256;

/** Index of the page of the pair that describes a page in use, or -1. Pages of pairs are known by the bitmap, not by their entry. */
const pageInUse = (m: TdxModule, block: number): number => {
  for (let frame = block; frame < block + PAGES; frame++)
    if (m.pamt.type4K(frame) !== PAGE_TYPE.NDA) return Math.floor((frame - block) / PER_PAGE);
  return -1;
};

/**
 * TDH.PHYMEM.PAMT.REMOVE: takes the two pages back that hold the metadata of a block's 4 KiB pages.
 *
 * @param regs RCX: host address of the block, with level 1 in bits 2:0
 * @returns SUCCESS, RDX and R8 the host addresses of the two pages; OPERAND_INVALID(RAX) on a module without dynamic PAMT;
 *   OPERAND_INVALID or OPERAND_ADDR_RANGE_ERROR(RCX); NO_PAMT_PAGE_PAIR(RCX); PAMT_PAGE_NOT_EMPTY with the number of the first page
 *   of the pair that describes a page in use. A refusal changes nothing.
 * @changes the block's pair; both pages, which are free
 * @source TDX module 1.5.25, TDH.PHYMEM.PAMT.REMOVE
 */
export const tdhPhymemPamtRemove = (m: TdxModule, regs: Regs): Status => {
  const badBlock = checkBlockOperand(m, regs[2 * RCX]!, regs[2 * RCX + 1]!);
  if (badBlock !== SUCCESS) return badBlock;
  const { pairs, frame } = m;
  if (pairs?.has(frame) !== true) return NO_PAIR;
  const used = pageInUse(m, frame);
  if (used >= 0) return withDetails(NOT_EMPTY, used);
  const [first, second] = pairs.pairOf(frame);
  pairs.remove(frame);
  setHalves(regs, RDX, first << 12, first >>> 20);
  setHalves(regs, R8, second << 12, second >>> 20);
  return SUCCESS;
};
