import { TDH } from "../../abi/tdx/leaves.ts";
import { R8, R9, R10, R11, RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { SEPT_FREE } from "../../abi/tdx/sept-entry.ts";
import { OPERAND_ID, type Status, status, withDetails } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import { type MemoryLeaf, openEntry, refuse } from "../host-walk.ts";
import type { TdxModule } from "../module.ts";
import { checkPage } from "../operands.ts";
import { SIZE_4K } from "../pamt.ts";
import { septAllowed } from "../sept-rules.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const BAD_VERSION = status("OPERAND_INVALID", "RAX");
const INVALID = status("OPERAND_INVALID");
const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT", "RCX");
/** High-half bit 63: the page was not needed. */
const MARK = 1 << 31;
const LEAF: MemoryLeaf = {
  leaf: TDH["TDH.MEM.SEPT.ADD"],
  minLevel: 1,
  maxLevel: null,
  exclusive: false,
  flags: true,
  states: septAllowed("TDH.MEM.SEPT.ADD"),
};

/**
 * TDH.MEM.SEPT.ADD: hangs an empty table below an entry.
 *
 * @param regs RCX: GPA and level of the entry, 1 up to the root's; RDX: TDR, bit 0: a table that is there already
 *   is welcome; R8: host address of a free 4 KiB page (bit 63 does not matter), in version 1 also all ones for none;
 *   version 1: R9 to R11 pages for tables of L2 VMs, all ones for none
 * @returns SUCCESS, the entry NL_MAPPED and its 512 children FREE, or as it was if it is welcome; the refusals of
 *   `openEntry`; EPT_ENTRY_STATE_INCORRECT(RCX) for a table that is not welcome, or, without a new page, not there;
 *   OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, OPERAND_BUSY or PAGE_METADATA_INCORRECT(R8); OPERAND_INVALID(R9 to R11)
 *   for a page without an L2 VM; OPERAND_INVALID(RAX) for a version above 1. A refusal changes nothing but RCX and RDX.
 *   Version 1 gives R8 to R11 back with bit 63 clear for a page that was refused, set for one that was not needed, and
 *   all ones for one that was used.
 * @changes the entry, the page's metadata (EPT), the TD's child count
 * @source TDX module 1.5.25, TDH.MEM.SEPT.ADD
 * @missing L2 VMs
 */
export const tdhMemSeptAdd = (m: TdxModule, regs: Regs, version: number): Status => {
  if (version > 1) {
    setHalves(regs, RCX, 0, 0);
    setHalves(regs, RDX, 0, 0);
    return BAD_VERSION;
  }
  const welcome = (regs[2 * RDX]! & 1) === 1;
  if (version === 1) for (const page of [R8, R9, R10, R11]) clearMark(regs, page);
  const refused = openEntry(m, regs, LEAF);
  if (refused !== SUCCESS) return refused;
  const td = m.td;
  if (version === 0 && isNone(regs, R8)) return withDetails(INVALID, OPERAND_ID.R8);
  const there = td.sept.stateHere !== SEPT_FREE;
  const offered = version === 0 || !isNone(regs, R8);
  if (offered ? there && !welcome : !there) return refuse(td, regs, WRONG_STATE);
  if (!there) {
    const badPage = checkPage(m, regs[2 * R8]!, regs[2 * R8 + 1]! & ~MARK, PAGE_TYPE.NDA, OPERAND_ID.R8);
    if (badPage !== SUCCESS) return badPage;
  }
  const l2 = version === 1 ? [R9, R10, R11].find((page) => !isNone(regs, page)) : undefined;
  if (l2 !== undefined) return withDetails(INVALID, l2);
  if (!there) hang(m);
  if (version === 1 && offered) {
    if (there) regs[2 * R8 + 1]! |= MARK;
    else setHalves(regs, R8, 0xffff_ffff, 0xffff_ffff);
  }
  return SUCCESS;
};

/** Hangs the checked page below the entry under the cursor. */
const hang = (m: TdxModule): void => {
  const td = m.td;
  td.sept.addTable(m.frame);
  m.pamt.take(m.frame, SIZE_4K, PAGE_TYPE.EPT, td.number + 1);
  td.words[TD_WORD.CHILD_COUNT]!++;
};

const isNone = (regs: Regs, register: number): boolean =>
  regs[2 * register] === 0xffff_ffff && regs[2 * register + 1] === 0xffff_ffff;
const clearMark = (regs: Regs, register: number): void => {
  if (!isNone(regs, register)) regs[2 * register + 1]! &= ~MARK;
};
