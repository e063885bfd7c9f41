import { TDH } from "../../abi/tdx/leaves.ts";
import type { Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { type MemoryLeaf, openEntry } from "../host-walk.ts";
import type { TdxModule } from "../module.ts";
import { needsTracking } from "../op-states.ts";
import { SIZE_4K } from "../pamt.ts";
import { septAllowed, UNBLOCKED_STATE } from "../sept-rules.ts";

const SUCCESS = status("SUCCESS");
const NOT_TRACKED = {
  RCX: status("TLB_TRACKING_NOT_DONE", "RCX"),
  SEPT_TREE: status("TLB_TRACKING_NOT_DONE", "SEPT_TREE"),
} as const;
const LEAF: MemoryLeaf = {
  leaf: TDH["TDH.MEM.RANGE.UNBLOCK"],
  minLevel: 0,
  maxLevel: null,
  exclusive: true,
  flags: false,
  states: septAllowed("TDH.MEM.RANGE.UNBLOCK"),
};

/**
 * TDH.MEM.RANGE.UNBLOCK: undoes TDH.MEM.RANGE.BLOCK.
 *
 * @param regs RCX: GPA and level, 0 up to the root's; RDX: TDR
 * @returns SUCCESS, the entry as before it was blocked; the refusals of `openEntry`; while vCPUs may run
 *   TLB_TRACKING_NOT_DONE(RCX; SEPT_TREE in 1.5.01). A refusal changes nothing but RCX and RDX.
 * @changes the entry
 * @source TDX module 1.5.25, TDH.MEM.RANGE.UNBLOCK
 * @missing aliases of L2 VMs
 */
export const tdhMemRangeUnblock = (m: TdxModule, regs: Regs): Status => {
  const refused = openEntry(m, regs, LEAF);
  if (refused !== SUCCESS) return refused;
  const td = m.td;
  const sept = td.sept;
  const leaf = sept.isLeafHere();
  const bepoch = leaf
    ? m.pamt.bepochAt(sept.payloadHere, sept.level)
    : m.pamt.bepochAt(sept.tableFrameHere, SIZE_4K);
  if (needsTracking(td.opState) && !td.isTracked(bepoch))
    return NOT_TRACKED[m.behaviour.unblockTrackingOperand];
  const after = UNBLOCKED_STATE[sept.stateHere]!;
  if (leaf) sept.setState(after);
  else sept.setNonLeaf(after, sept.tableHere);
  return SUCCESS;
};
