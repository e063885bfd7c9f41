import { TDH } from "../../abi/tdx/leaves.ts";
import { R8, type Regs } from "../../abi/tdx/regs.ts";
import { SEPT_PENDING } from "../../abi/tdx/sept-entry.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import { type MemoryLeaf, openEntry } from "../host-walk.ts";
import type { TdxModule } from "../module.ts";
import { checkFreeBlock, checkPage } from "../operands.ts";
import { SIZE_2M, SIZE_4K } from "../pamt.ts";
import { septAllowed } from "../sept-rules.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const R8_ID = OPERAND_ID.R8;
const LEAF: MemoryLeaf = {
  leaf: TDH["TDH.MEM.PAGE.AUG"],
  minLevel: 0,
  maxLevel: 1,
  exclusive: false,
  flags: false,
  states: septAllowed("TDH.MEM.PAGE.AUG"),
};

/**
 * TDH.MEM.PAGE.AUG: gives a running TD a page, which the guest must accept. The content stays as it is.
 *
 * @param regs RCX: GPA and level (0 or 1); RDX: TDR; R8: host address of a free page of that size
 * @returns SUCCESS, the page PENDING; the refusals of `openEntry`; OPERAND_INVALID(R8),
 *   OPERAND_ADDR_RANGE_ERROR(R8), OPERAND_BUSY(R8); PAGE_METADATA_INCORRECT(R8) unless the page is free at its
 *   size and, for 2 MiB, in each of its 4 KiB pages. A refusal changes nothing but RCX and RDX.
 * @changes the entry, the page's metadata (REG, BEPOCH 0), the TD's child count
 * @source TDX module 1.5.25, TDH.MEM.PAGE.AUG
 */
export const tdhMemPageAug = (m: TdxModule, regs: Regs): Status => {
  const refused = openEntry(m, regs, LEAF);
  if (refused !== SUCCESS) return refused;
  const td = m.td;
  const level = td.sept.level;
  const lo = regs[2 * R8]! | 0;
  const hi = regs[2 * R8 + 1]! | 0;
  const badPage = level === 0 ? checkPage(m, lo, hi, PAGE_TYPE.NDA, R8_ID) : checkFreeBlock(m, lo, hi, R8_ID);
  if (badPage !== SUCCESS) return badPage;
  td.sept.setLeaf(SEPT_PENDING, m.frame);
  m.pamt.take(m.frame, level === 0 ? SIZE_4K : SIZE_2M, PAGE_TYPE.REG, td.number + 1);
  td.words[TD_WORD.CHILD_COUNT]! += level === 0 ? 1 : 512;
  return SUCCESS;
};
