import { TDH } from "../../abi/tdx/leaves.ts";
import type { Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { type MemoryLeaf, refuse } from "../host-walk.ts";
import type { TdxModule } from "../module.ts";
import { septAllowed } from "../sept-rules.ts";
import { giveTableBack, openTableBelow } from "../table-below.ts";

const SUCCESS = status("SUCCESS");
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
 * @returns SUCCESS, the entry FREE, RCX the host address of the table's page, bit 62 set as by TDH.MEM.PAGE.REMOVE; the refusals of `openTableBelow`;
 *   EPT_PAGE_NOT_FREE(RCX) if an entry of the table is not FREE. A refusal changes nothing but RCX and RDX.
 * @changes the entry, the page's metadata (free), the TD's child count
 * @source TDX module 1.5.25, TDH.MEM.SEPT.REMOVE
 * @missing L2 VMs
 */
export const tdhMemSeptRemove = (m: TdxModule, regs: Regs, version: number): Status => {
  const refused = openTableBelow(m, regs, version, LEAF);
  if (refused !== SUCCESS) return refused;
  const td = m.td;
  const table = td.sept.tableFrameHere;
  if (td.sept.usedCount[td.sept.tableHere] !== 0) return refuse(td, regs, NOT_EMPTY);
  td.sept.removeTable();
  giveTableBack(m, regs, table);
  return SUCCESS;
};
