import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import { SIZE_4K } from "../pamt.ts";
import { checkBlockOperand, checkPairPages, type PairPages } from "../pamt-pair-operands.ts";

const SUCCESS = status("SUCCESS");
const NO_DYNAMIC_PAMT = status("OPERAND_INVALID", "RAX");
const NOT_FREE = status("HPA_RANGE_NOT_FREE", "RCX");

/**
 * TDH.PHYMEM.PAMT.ADD: gives a block of 2 MiB the two pages that hold the metadata of its 4 KiB pages.
 *
 * @param regs RCX: host address of the block, with level 1 in bits 2:0; RDX, R8: host addresses of two free 4 KiB pages, which may
 *   lie in the block itself
 * @returns SUCCESS; OPERAND_INVALID(RAX) on a module without dynamic PAMT; OPERAND_INVALID or OPERAND_ADDR_RANGE_ERROR(RCX, RDX or
 *   R8); HPA_RANGE_NOT_FREE(RCX) if the block has a pair or is a page of 2 MiB; PAGE_NOT_FREE(RDX or R8). A refusal changes nothing.
 * @changes the block's pair; both pages, which are zero and not free any more
 * @source TDX module 1.5.25, TDH.PHYMEM.PAMT.ADD
 */
export const tdhPhymemPamtAdd = (m: TdxModule, regs: Regs): Status => {
  const badBlock = checkBlockOperand(m, regs[2 * RCX]!, regs[2 * RCX + 1]!);
  if (badBlock !== SUCCESS) return badBlock;
  const { pairs, frame } = m;
  if (pairs === undefined) return NO_DYNAMIC_PAMT;
  if (pairs.has(frame) || m.pamt.sizeAt(frame) !== SIZE_4K) return NOT_FREE;
  const pages: PairPages = { first: 0, second: 0 };
  const badPages = checkPairPages(m, pairs, regs, ["RDX", "R8"], pages);
  if (badPages !== SUCCESS) return badPages;
  pairs.add(frame, pages.first, pages.second);
  m.pages.zero(pages.first, 1);
  m.pages.zero(pages.second, 1);
  return SUCCESS;
};
