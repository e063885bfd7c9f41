import type { Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import { checkAddition, type PairPages } from "../pamt-pair-operands.ts";

const SUCCESS = status("SUCCESS");
const PAIR: PairPages = { first: 0, second: 0 };

/**
 * TDH.PHYMEM.PAMT.ADD: gives a block of 2 MiB the two pages that hold the metadata of its 4 KiB pages.
 *
 * @param regs RCX: host address of the block, with level 1 in bits 2:0; RDX, R8: host addresses of two free 4 KiB pages, which may
 *   lie in the block itself
 * @returns SUCCESS; OPERAND_INVALID(RAX) on a module without dynamic PAMT; OPERAND_INVALID(RCX); OPERAND_INVALID or
 *   OPERAND_ADDR_RANGE_ERROR(RDX), then (R8); OPERAND_ADDR_RANGE_ERROR(RCX); HPA_RANGE_NOT_FREE(RCX) if the block has a pair or is a
 *   page of 2 MiB; PAGE_NOT_FREE(RDX or R8), also for a page that is reserved. A refusal changes nothing.
 * @changes the block's pair; both pages, which are zero and not free any more
 * @source TDX module 1.5.25, TDH.PHYMEM.PAMT.ADD
 */
export const tdhPhymemPamtAdd = (m: TdxModule, regs: Regs): Status => {
  const bad = checkAddition(m, regs, PAIR);
  if (bad !== SUCCESS) return bad;
  m.pairs!.add(m.frame, PAIR.first, PAIR.second);
  m.pages.zero(PAIR.first, 1);
  m.pages.zero(PAIR.second, 1);
  return SUCCESS;
};
