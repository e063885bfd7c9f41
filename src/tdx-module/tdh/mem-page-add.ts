import { TDH } from "../../abi/tdx/leaves.ts";
import { R8, R9, RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { SEPT_MAPPED } from "../../abi/tdx/sept-entry.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import { refuse } from "../host-walk.ts";
import { measurePageAdd } from "../measurement.ts";
import type { TdxModule } from "../module.ts";
import { checkPage, checkTdr, checkTdState, NO_LOCK, TAKE_EXCLUSIVE } from "../operands.ts";
import { isPrivateMapping } from "../page-info.ts";
import { SIZE_4K } from "../pamt.ts";
import { septAllowed } from "../sept-rules.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const INVALID_RCX = status("OPERAND_INVALID", "RCX");
const INVALID_R9 = status("OPERAND_INVALID", "R9");
const WALK_FAILED = status("EPT_WALK_FAILED", "RCX");
const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT", "RCX");
const LEAF = TDH["TDH.MEM.PAGE.ADD"];
const STATES = septAllowed("TDH.MEM.PAGE.ADD");

/**
 * TDH.MEM.PAGE.ADD: copies a page of the initial image into a TD that is being built.
 *
 * It holds the TDR exclusively, so neither the tree nor the entry can be busy.
 *
 * @param regs RCX: GPA, level 0; RDX: TDR; R8: host address of a free 4 KiB page; R9: host address of the source
 * @returns SUCCESS, the page MAPPED; the refusals of `openEntry` but for the locks; OPERAND_INVALID(R9);
 *   OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, OPERAND_BUSY or PAGE_METADATA_INCORRECT(R8).
 *   A refusal changes nothing but RCX and RDX.
 * @changes the page's content, the entry, the page's metadata (REG), the TD's child count and measurement
 * @source TDX module 1.5.25, TDH.MEM.PAGE.ADD
 */
export const tdhMemPageAdd = (m: TdxModule, regs: Regs): Status => {
  const lo = regs[2 * RCX]!;
  const hi = regs[2 * RCX + 1]!;
  const tdrLo = regs[2 * RDX]!;
  const tdrHi = regs[2 * RDX + 1]!;
  setHalves(regs, RCX, 0, 0);
  setHalves(regs, RDX, 0, 0);
  const noTdr = checkTdr(m, tdrLo, tdrHi, OPERAND_ID.RDX, TAKE_EXCLUSIVE);
  if (noTdr !== SUCCESS) return noTdr;
  const badState = checkTdState(m, LEAF, NO_LOCK);
  if (badState !== SUCCESS) return badState;
  const td = m.td;
  if (!isPrivateMapping(td, lo, hi, 0)) return INVALID_RCX;
  const sept = td.sept;
  sept.walk(lo, hi, 0);
  if (sept.level !== 0) return refuse(td, regs, WALK_FAILED);
  if (STATES[sept.stateHere] !== 1) return refuse(td, regs, WRONG_STATE);
  const source = sourceFrame(m, regs);
  if (source < 0) return INVALID_R9;
  const badPage = checkPage(m, regs[2 * R8]!, regs[2 * R8 + 1]!, PAGE_TYPE.NDA, OPERAND_ID.R8);
  if (badPage !== SUCCESS) return badPage;
  m.pages.copy(m.frame, source);
  sept.setLeaf(SEPT_MAPPED, m.frame);
  measurePageAdd(td.words, lo & 0xffff_f000, hi);
  m.pamt.take(m.frame, SIZE_4K, PAGE_TYPE.REG, td.number + 1);
  td.words[TD_WORD.CHILD_COUNT]!++;
  return SUCCESS;
};

/** The source page: aligned, below MAXPA, with a key id of the host's own. -1 if not. */
const sourceFrame = (m: TdxModule, regs: Regs): number => {
  const lo = regs[2 * R9]!;
  const hi = regs[2 * R9 + 1]!;
  const hkid = hi >>> m.hpaShift;
  if ((lo & 0xfff) !== 0 || hkid >= m.platform.firstPrivateHkid) return -1;
  return (lo >>> 12) + (hi & ((1 << m.hpaShift) - 1)) * 2 ** 20;
};
