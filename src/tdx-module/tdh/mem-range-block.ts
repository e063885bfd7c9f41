import { TDH } from "../../abi/tdx/leaves.ts";
import type { Regs } from "../../abi/tdx/regs.ts";
import { SEPT_MAPPED } from "../../abi/tdx/sept-entry.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { type MemoryLeaf, openEntry, refuse } from "../host-walk.ts";
import type { TdxModule } from "../module.ts";
import { SIZE_4K } from "../pamt.ts";
import { leafFrame } from "../sept.ts";
import { BLOCKED_STATE, IS_BLOCKED, septAllowed } from "../sept-rules.ts";

const SUCCESS = status("SUCCESS");
const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT", "RCX");
const ALREADY_BLOCKED = status("GPA_RANGE_ALREADY_BLOCKED", "RCX");
const LEAF: MemoryLeaf = {
  leaf: TDH["TDH.MEM.RANGE.BLOCK"],
  minLevel: 0,
  maxLevel: null,
  exclusive: true,
  flags: false,
  states: septAllowed("TDH.MEM.RANGE.BLOCK"),
};

/**
 * TDH.MEM.RANGE.BLOCK: no new translation through an entry. Old ones live on in TLBs until tracked.
 *
 * @param regs RCX: GPA and level, 0 up to the root's; RDX: TDR
 * @returns SUCCESS, the entry blocked; the refusals of `openEntry`;
 *   GPA_RANGE_ALREADY_BLOCKED(RCX), which is information and no error, if it was;
 *   EPT_ENTRY_STATE_INCORRECT(RCX) also for an accepted page of a TD with PAGE_RELEASE, which only the guest can
 *   release (inference: the status). A refusal changes nothing but RCX and RDX.
 * @changes the entry; an accept in progress starts afresh; BEPOCH of the page or table becomes TD_EPOCH
 * @source TDX module 1.5.25, TDH.MEM.RANGE.BLOCK
 * @missing BLOCKEDW entries, aliases of L2 VMs
 */
export const tdhMemRangeBlock = (m: TdxModule, regs: Regs): Status => {
  const refused = openEntry(m, regs, LEAF);
  if (refused === WRONG_STATE && IS_BLOCKED[m.td.sept.stateHere] === 1) return ALREADY_BLOCKED;
  if (refused !== SUCCESS) return refused;
  const td = m.td;
  const sept = td.sept;
  const state = sept.stateHere;
  const pinned = state === SEPT_MAPPED && td.hasConfigFlag("PAGE_RELEASE");
  if (pinned && m.behaviour.blockUnreleased === "refuse") return refuse(td, regs, WRONG_STATE);
  const after = BLOCKED_STATE[state]!;
  if (sept.isLeafHere()) {
    const frame = leafFrame(sept.payloadHere, sept.level);
    sept.setLeaf(after, frame);
    m.pamt.setBepoch(frame, sept.level, td.epoch);
  } else {
    m.pamt.setBepoch(sept.tableFrameHere, SIZE_4K, td.epoch);
    sept.setNonLeaf(after, sept.tableHere);
  }
  return SUCCESS;
};
