import { TDH } from "../../abi/tdx/leaves.ts";
import { R8, type Regs } from "../../abi/tdx/regs.ts";
import { SEPT_FREE } from "../../abi/tdx/sept-entry.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import { NotModelled } from "../../not-modelled.ts";
import { type MemoryLeaf, openEntry, refuse } from "../host-walk.ts";
import type { TdxModule } from "../module.ts";
import { checkPage } from "../operands.ts";
import { SIZE_4K } from "../pamt.ts";
import { septAllowed } from "../sept-rules.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT", "RCX");
const R8_ID = OPERAND_ID.R8;
const LEAF: MemoryLeaf = {
  leaf: TDH["TDH.MEM.SEPT.ADD"],
  minLevel: 1,
  maxLevel: null,
  exclusive: false,
  flags: true,
  states: septAllowed("TDH.MEM.SEPT.ADD"),
};

/**
 * TDH.MEM.SEPT.ADD, version 0: hangs an empty table below an entry.
 *
 * @param regs RCX: GPA and level of the entry, 1 up to the root's; RDX: TDR; R8: host address of a free 4 KiB page
 * @returns SUCCESS, the entry NL_MAPPED and its 512 children FREE; the refusals of `openEntry`;
 *   EPT_ENTRY_STATE_INCORRECT(RCX) also for NL_MAPPED; OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, OPERAND_BUSY or
 *   PAGE_METADATA_INCORRECT(R8). A refusal changes nothing but RCX and RDX.
 * @changes the entry, the page's metadata (EPT), the TD's child count
 * @source TDX module 1.5.25, TDH.MEM.SEPT.ADD
 * @missing version 1 (tables of L2 VMs) and the flag that tolerates an existing table
 */
export const tdhMemSeptAdd = (m: TdxModule, regs: Regs, version: number): Status => {
  if (version > 0) throw new NotModelled("TDH.MEM.SEPT.ADD version 1");
  const refused = openEntry(m, regs, LEAF);
  if (refused !== SUCCESS) return refused;
  const td = m.td;
  if (td.sept.stateHere !== SEPT_FREE) return refuse(td, regs, WRONG_STATE);
  const badPage = checkPage(m, regs[2 * R8]!, regs[2 * R8 + 1]!, PAGE_TYPE.NDA, R8_ID);
  if (badPage !== SUCCESS) return badPage;
  td.sept.addTable(m.frame);
  m.pamt.take(m.frame, SIZE_4K, PAGE_TYPE.EPT, td.number + 1);
  td.words[TD_WORD.CHILD_COUNT]!++;
  return SUCCESS;
};
