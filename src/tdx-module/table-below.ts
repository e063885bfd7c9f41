import { R9, R10, R11, RCX, RDX, type Regs, setHalves } from "../abi/tdx/regs.ts";
import { type Status, status } from "../abi/tdx/status.ts";
import { checkBlockedAndTracked, type MemoryLeaf, openEntry } from "./host-walk.ts";
import type { TdxModule } from "./module.ts";
import { SIZE_4K } from "./pamt.ts";
import { pairHint } from "./pamt-pair-hint.ts";
import { TD_WORD } from "./td.ts";

const SUCCESS = status("SUCCESS");
const BAD_VERSION = status("OPERAND_INVALID", "RAX");
const BUSY_PAGE = status("OPERAND_BUSY", "RCX");

/**
 * Walks to an entry whose table below is to go, and asks what every leaf that takes a table away asks first.
 *
 * @param regs RCX: GPA and level of the entry above the table; RDX: TDR
 * @param version 1 reports tables of L2 VMs in R9 to R11; without L2 VMs they are all ones
 * @returns SUCCESS with the cursor of the TD's secure EPT at the entry; OPERAND_INVALID(RAX) above version 1; the refusals of
 *   `openEntry`; OPERAND_BUSY(RCX) while the table's page is in use; while vCPUs may run GPA_RANGE_NOT_BLOCKED(RCX)
 *   and TLB_TRACKING_NOT_DONE(RCX)
 * @source TDX module 1.5.25, TDH.MEM.PAGE.PROMOTE and TDH.MEM.SEPT.REMOVE
 */
export const openTableBelow = (m: TdxModule, regs: Regs, version: number, leaf: MemoryLeaf): Status => {
  if (version > 0) for (const register of [R9, R10, R11]) setHalves(regs, register, 0xffff_ffff, 0xffff_ffff);
  if (version > 1) {
    setHalves(regs, RCX, 0, 0);
    setHalves(regs, RDX, 0, 0);
    return BAD_VERSION;
  }
  const refused = openEntry(m, regs, leaf);
  if (refused !== SUCCESS) return refused;
  const table = m.td.sept.tableFrameHere;
  if (m.frameLocks.any && m.frameLocks.isBusy(table)) return BUSY_PAGE;
  return checkBlockedAndTracked(m.td, regs, m.pamt.bepochAt(table, SIZE_4K));
};

/**
 * Gives the page of a table that was taken out of the tree back to the host.
 *
 * @param table 4 KiB frame of the page
 * @changes the page's metadata (free), the TD's child count; RCX becomes the page's host address, with dynamic PAMT bit 62 set as
 *   by TDH.MEM.PAGE.REMOVE
 */
export const giveTableBack = (m: TdxModule, regs: Regs, table: number): void => {
  m.pamt.free(table, SIZE_4K);
  m.td.words[TD_WORD.CHILD_COUNT]!--;
  setHalves(regs, RCX, table << 12, (table >>> 20) | pairHint(m, table, SIZE_4K));
};
