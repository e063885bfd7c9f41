import { TDH } from "../../abi/tdx/leaves.ts";
import { R9, R10, R11, RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { checkBlockedAndTracked, type MemoryLeaf, openEntry, refuse } from "../host-walk.ts";
import type { TdxModule } from "../module.ts";
import { SIZE_4K } from "../pamt.ts";
import { pairHint } from "../pamt-pair-hint.ts";
import { septAllowed } from "../sept-rules.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const BAD_VERSION = status("OPERAND_INVALID", "RAX");
const BUSY_PAGE = status("OPERAND_BUSY", "RCX");
const NOT_EMPTY = status("EPT_PAGE_NOT_FREE", "RCX");
const LEAF: MemoryLeaf = {
  leaf: TDH["TDH.MEM.SEPT.REMOVE"],
  minLevel: 1,
  maxLevel: null,
  exclusive: true,
  flags: false,
  states: septAllowed("TDH.MEM.SEPT.REMOVE"),
};

/**
 * TDH.MEM.SEPT.REMOVE: takes an empty table away.
 *
 * @param regs RCX: GPA and level of the entry above the table, 1 up to the root's; RDX: TDR
 * @param version 1 reports tables of L2 VMs in R9 to R11; without L2 VMs they are all ones
 * @returns SUCCESS, the entry FREE, RCX the host address of the table's page, bit 62 set as by TDH.MEM.PAGE.REMOVE; the refusals of `openEntry`;
 *   while vCPUs may run GPA_RANGE_NOT_BLOCKED(RCX) and TLB_TRACKING_NOT_DONE(RCX);
 *   EPT_PAGE_NOT_FREE(RCX) if an entry of the table is not FREE. A refusal changes nothing but RCX and RDX.
 * @changes the entry, the page's metadata (free), the TD's child count
 * @source TDX module 1.5.25, TDH.MEM.SEPT.REMOVE
 * @missing L2 VMs
 */
export const tdhMemSeptRemove = (m: TdxModule, regs: Regs, version: number): Status => {
  if (version > 0) for (const register of [R9, R10, R11]) setHalves(regs, register, 0xffff_ffff, 0xffff_ffff);
  if (version > 1) {
    setHalves(regs, RCX, 0, 0);
    setHalves(regs, RDX, 0, 0);
    return BAD_VERSION;
  }
  const refused = openEntry(m, regs, LEAF);
  if (refused !== SUCCESS) return refused;
  const td = m.td;
  const frame = td.sept.tableFrameHere;
  if (m.frameLocks.any && m.frameLocks.isBusy(frame)) return BUSY_PAGE;
  const stillUsed = checkBlockedAndTracked(td, regs, m.pamt.bepochAt(frame, SIZE_4K));
  if (stillUsed !== SUCCESS) return stillUsed;
  if (td.sept.usedCount[td.sept.tableHere] !== 0) return refuse(td, regs, NOT_EMPTY);
  td.sept.removeTable();
  m.pamt.free(frame, SIZE_4K);
  td.words[TD_WORD.CHILD_COUNT]!--;
  setHalves(regs, RCX, frame << 12, (frame >>> 20) | pairHint(m, frame, SIZE_4K));
  return SUCCESS;
};
