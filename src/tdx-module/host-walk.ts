import { RCX, RDX, type Regs } from "../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../abi/tdx/status.ts";
import { reportEntry } from "./entry-report.ts";
import { LOCK } from "./locks.ts";
import type { TdxModule } from "./module.ts";
import { needsTracking } from "./op-states.ts";
import { checkTdr, checkTdState, TAKE_SHARED } from "./operands.ts";
import { isPrivateMapping, pfnOf } from "./page-info.ts";
import { IS_BLOCKED } from "./sept-rules.ts";
import type { Td } from "./td.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");
const BUSY_TREE = status("OPERAND_BUSY", "SEPT_TREE");
const BUSY_ENTRY = status("OPERAND_BUSY", "RCX");
const WALK_FAILED = status("EPT_WALK_FAILED", "RCX");
const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT", "RCX");
const NOT_BLOCKED = status("GPA_RANGE_NOT_BLOCKED", "RCX");
const NOT_TRACKED = status("TLB_TRACKING_NOT_DONE", "RCX");
const RDX_ID = OPERAND_ID.RDX;

/** What one memory leaf asks of its operands. */
export interface MemoryLeaf {
  readonly leaf: number;
  readonly minLevel: number;
  /** The root's level if `null`. */
  readonly maxLevel: number | null;
  /** Whether it takes the tree lock exclusively. */
  readonly exclusive: boolean;
  /** Whether bit 0 of RDX is a flag rather than part of the address. */
  readonly flags: boolean;
  /** 1 where the state byte is allowed. */
  readonly states: Uint8Array;
}

/**
 * What every memory leaf with a GPA does first, in this order, the first failure wins: TD handle in RDX,
 * state of the TD, GPA and level in RCX, tree lock, walk, entry lock, state of the entry. RCX and RDX are
 * zero afterwards, or tell of the entry where a failure has to do with it.
 *
 * @returns SUCCESS, with the entry under the cursor of `m.td.sept`; or the refusal
 * @source TDX module 1.5.25, common checks of TDH.MEM leaves
 */
export const openEntry = (m: TdxModule, regs: Regs, rule: MemoryLeaf): Status => {
  // Signed halves stay small integers of the engine across calls; unsigned ones above 2^31 would not.
  const lo = regs[2 * RCX]! | 0;
  const hi = regs[2 * RCX + 1]! | 0;
  const tdrLo = regs[2 * RDX]! | 0;
  const tdrHi = regs[2 * RDX + 1]! | 0;
  clear(regs);
  const noTdr = checkTdr(m, rule.flags ? tdrLo & ~1 : tdrLo, tdrHi, RDX_ID, TAKE_SHARED);
  if (noTdr !== SUCCESS) return noTdr;
  const badState = checkTdState(m, rule.leaf, TAKE_SHARED);
  if (badState !== SUCCESS) return badState;
  const td = m.td;
  const level = lo & 7;
  const maxLevel = rule.maxLevel ?? td.sept.levels - 1;
  if (level < rule.minLevel || !isPrivateMapping(td, lo, hi, maxLevel)) return INVALID;
  if (td.locks.any && td.locks.isBusy(LOCK.SEPT_TREE, rule.exclusive)) return BUSY_TREE;
  return walkTo(td, regs, lo, hi, rule.states);
};

/** Walk, entry lock and state check. */
export const walkTo = (td: Td, regs: Regs, lo: number, hi: number, states: Uint8Array): Status => {
  const sept = td.sept;
  const level = lo & 7;
  sept.walk(lo, hi, level);
  if (sept.level === level && states[sept.state[sept.at]!] === 1 && !td.locks.any) return SUCCESS;
  if (sept.level !== level) return refuse(td, regs, WALK_FAILED);
  if (td.locks.isEntryBusy(pfnOf(lo, hi), level)) return refuse(td, regs, BUSY_ENTRY);
  return states[sept.stateHere] === 1 ? SUCCESS : refuse(td, regs, WRONG_STATE);
};

/** Tells of the entry under the cursor and answers `refusal`. */
export const refuse = (td: Td, regs: Regs, refusal: Status): Status => {
  reportEntry(td.sept, regs);
  return refusal;
};

const clear = (regs: Regs): void => {
  regs[2 * RCX] = 0;
  regs[2 * RCX + 1] = 0;
  regs[2 * RDX] = 0;
  regs[2 * RDX + 1] = 0;
};

/**
 * While vCPUs may run, the entry under the cursor must be blocked, and since then every vCPU that was inside
 * must have left once. Only the first failure tells of the entry.
 */
export const checkBlockedAndTracked = (td: Td, regs: Regs, bepoch: number): Status => {
  if (!needsTracking(td.opState)) return SUCCESS;
  if (IS_BLOCKED[td.sept.stateHere] !== 1) return refuse(td, regs, NOT_BLOCKED);
  return td.isTracked(bepoch) ? SUCCESS : NOT_TRACKED;
};
