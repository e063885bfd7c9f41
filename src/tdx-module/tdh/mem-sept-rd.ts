import { TDH } from "../../abi/tdx/leaves.ts";
import type { Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { type MemoryLeaf, openEntry, refuse } from "../host-walk.ts";
import type { TdxModule } from "../module.ts";
import { septAllowed } from "../sept-rules.ts";

const SUCCESS = status("SUCCESS");
const LEAF: MemoryLeaf = {
  leaf: TDH["TDH.MEM.SEPT.RD"],
  minLevel: 0,
  maxLevel: null,
  exclusive: false,
  flags: false,
  states: septAllowed("TDH.MEM.SEPT.RD"),
};

/**
 * TDH.MEM.SEPT.RD: reads an entry.
 *
 * @param regs RCX: GPA and level; RDX: TDR
 * @returns SUCCESS: RCX the architectural entry, RDX level (2:0) and state number (15:8); the refusals of `openEntry`
 * @changes nothing but RCX and RDX
 * @source TDX module 1.5.25, TDH.MEM.SEPT.RD
 * @missing the attributes of L2 VMs
 */
export const tdhMemSeptRd = (m: TdxModule, regs: Regs): Status => {
  const refused = openEntry(m, regs, LEAF);
  return refused === SUCCESS ? refuse(m.td, regs, SUCCESS) : refused;
};
