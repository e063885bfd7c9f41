import { TDH } from "../../abi/tdx/leaves.ts";
import { R8, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import { checkBlockedAndTracked, type MemoryLeaf, openEntry } from "../host-walk.ts";
import type { TdxModule } from "../module.ts";
import { checkPage } from "../operands.ts";
import { SIZE_4K } from "../pamt.ts";
import { checkPairPages, type PairPages } from "../pamt-pair-operands.ts";
import { leafFrame } from "../sept.ts";
import { septAllowed, UNBLOCKED_STATE } from "../sept-rules.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const BUSY_PAGE = status("OPERAND_BUSY", "RCX");
const TABLE_IN_PAIR = status("PAGE_NOT_FREE", "R12");
const R8_ID = OPERAND_ID.R8;
const PAIR: PairPages = { first: 0, second: 0 };
const LEAF: MemoryLeaf = {
  leaf: TDH["TDH.MEM.PAGE.DEMOTE"],
  minLevel: 1,
  maxLevel: 2,
  exclusive: false,
  flags: true,
  states: septAllowed("TDH.MEM.PAGE.DEMOTE"),
};

/**
 * TDH.MEM.PAGE.DEMOTE: splits a large page into 512 of the next smaller size.
 *
 * @param regs RCX: GPA and level (1 or 2); RDX: TDR; R8: host address of a free 4 KiB page for the new table;
 *   R12, R13 (dynamic PAMT, level 1): host addresses of the pages that will hold the metadata
 * @returns SUCCESS, the entry NL_MAPPED over 512 leaves that are MAPPED or PENDING, not blocked; the refusals of
 *   `openEntry`; while vCPUs may run GPA_RANGE_NOT_BLOCKED(RCX) and TLB_TRACKING_NOT_DONE(RCX); OPERAND_INVALID,
 *   OPERAND_ADDR_RANGE_ERROR, OPERAND_BUSY or PAGE_METADATA_INCORRECT(R8); OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR or
 *   PAGE_NOT_FREE(R12 or R13). A refusal changes nothing but RCX and RDX.
 * @changes the entry, its new children, metadata of the page and of the table, the TD's child count
 * @source TDX module 1.5.25, TDH.MEM.PAGE.DEMOTE
 * @missing L2 VMs; INTERRUPTED_RESTARTABLE of modules before 1.5.28 comes by injection
 */
export const tdhMemPageDemote = (m: TdxModule, regs: Regs): Status => {
  const refused = openEntry(m, regs, LEAF);
  if (refused !== SUCCESS) return refused;
  const td = m.td;
  const sept = td.sept;
  const level = sept.level;
  const pages = leafFrame(sept.payloadHere, level);
  const stillUsed = checkBlockedAndTracked(td, regs, m.pamt.bepochAt(pages, level));
  if (stillUsed !== SUCCESS) return stillUsed;
  const badPage = checkPage(m, regs[2 * R8]!, regs[2 * R8 + 1]!, PAGE_TYPE.NDA, R8_ID);
  if (badPage !== SUCCESS) return badPage;
  if (m.frameLocks.any && m.frameLocks.isBusy(pages)) return BUSY_PAGE;
  if (m.pairs !== undefined && level === 1) {
    const badPair = checkPairPages(m, m.pairs, regs, ["R12", "R13"], PAIR);
    if (badPair !== SUCCESS) return badPair;
    if (PAIR.first === m.frame || PAIR.second === m.frame) return TABLE_IN_PAIR;
    m.pairs.add(pages, PAIR.first, PAIR.second);
  }
  sept.split(m.frame, pages, UNBLOCKED_STATE[sept.stateHere]!);
  m.pamt.split(pages, level);
  m.pamt.take(m.frame, SIZE_4K, PAGE_TYPE.EPT, td.number + 1);
  td.words[TD_WORD.CHILD_COUNT]!++;
  return SUCCESS;
};
