import { TDH } from "../../abi/tdx/leaves.ts";
import { RCX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { SEPT_FREE } from "../../abi/tdx/sept-entry.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { checkBlockedAndTracked, type MemoryLeaf, openEntry } from "../host-walk.ts";
import type { TdxModule } from "../module.ts";
import { pairHint } from "../pamt-pair-hint.ts";
import { leafFrame } from "../sept.ts";
import { septAllowed } from "../sept-rules.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const BUSY_PAGE = status("OPERAND_BUSY", "RCX");
const LEAF: MemoryLeaf = {
  leaf: TDH["TDH.MEM.PAGE.REMOVE"],
  minLevel: 0,
  maxLevel: 2,
  exclusive: false,
  flags: false,
  states: septAllowed("TDH.MEM.PAGE.REMOVE"),
};

/**
 * TDH.MEM.PAGE.REMOVE: takes a page away from a TD. Its content is lost to the TD.
 *
 * @param regs RCX: GPA and level (0 to 2); RDX: TDR
 * @returns SUCCESS, the entry FREE, RCX the host address of the page, bit 62 set with dynamic PAMT if its block of 2 MiB has no
 *   4 KiB page in use any more; the refusals of `openEntry`;
 *   OPERAND_BUSY(RCX) if somebody holds the page's metadata; while vCPUs may run
 *   GPA_RANGE_NOT_BLOCKED(RCX) and TLB_TRACKING_NOT_DONE(RCX). A refusal changes nothing but RCX and RDX.
 * @changes the entry, the page's metadata (free), the TD's child count
 * @source TDX module 1.5.25, TDH.MEM.PAGE.REMOVE
 * @missing REMOVED entries of an import
 */
export const tdhMemPageRemove = (m: TdxModule, regs: Regs): Status => {
  const refused = openEntry(m, regs, LEAF);
  if (refused !== SUCCESS) return refused;
  const td = m.td;
  const level = td.sept.level;
  const frame = leafFrame(td.sept.payloadHere, level);
  if (m.frameLocks.any && m.frameLocks.isBusy(frame)) return BUSY_PAGE;
  const stillUsed = checkBlockedAndTracked(td, regs, m.pamt.bepochAt(frame, level));
  if (stillUsed !== SUCCESS) return stillUsed;
  td.sept.setLeaf(SEPT_FREE, 0);
  m.pamt.free(frame, level);
  td.words[TD_WORD.CHILD_COUNT]! -= 512 ** level;
  setHalves(regs, RCX, frame << 12, (frame >>> 20) | pairHint(m, frame, level));
  return SUCCESS;
};
