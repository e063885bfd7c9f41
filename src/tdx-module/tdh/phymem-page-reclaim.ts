import { R8, R9, R10, R11, RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { LIFECYCLE, PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import { LOCK } from "../locks.ts";
import type { TdxModule } from "../module.ts";
import { EXT_POOL } from "../pamt.ts";
import { pairHint } from "../pamt-pair-hint.ts";
import { TD_WORD } from "../td.ts";
import { OUTSIDE } from "../tdmr.ts";
import { ownerTdr } from "./phymem-page-rdmd.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");
const OUT_OF_RANGE = status("OPERAND_ADDR_RANGE_ERROR", "RCX");
const BUSY = status("OPERAND_BUSY", "RCX");
const BUSY_TDR = status("OPERAND_BUSY", "TDR");
const BAD_METADATA = status("PAGE_METADATA_INCORRECT", "RCX");
const WRONG_LIFECYCLE = status("LIFECYCLE_STATE_INCORRECT");
const PAGES_EXIST = status("TD_ASSOCIATED_PAGES_EXIST");

/**
 * TDH.PHYMEM.PAGE.RECLAIM: takes a page back from a TD that is torn down. The TDR comes last, and with it
 * the TD is gone.
 *
 * @param regs RCX: host address of the page, aligned to the page's size
 * @returns SUCCESS, the page free, R9 bit 62 as RCX of TDH.MEM.PAGE.REMOVE; OPERAND_INVALID(RCX), OPERAND_ADDR_RANGE_ERROR(RCX), OPERAND_BUSY(RCX or TDR);
 *   PAGE_METADATA_INCORRECT(RCX) for a free or reserved page, or one of the extensions; LIFECYCLE_STATE_INCORRECT unless the TD is in
 *   TEARDOWN; TD_ASSOCIATED_PAGES_EXIST for a TDR with pages left. From the page type on RCX, RDX and R8 hold type,
 *   address of the owner's TDR and size class, whatever comes then. A refusal changes nothing else.
 * @changes the page's metadata, the TD's child count
 * @source TDX module 1.5.25, TDH.PHYMEM.PAGE.RECLAIM
 */
export const tdhPhymemPageReclaim = (m: TdxModule, regs: Regs): Status => {
  const lo = regs[2 * RCX]!;
  const hi = regs[2 * RCX + 1]!;
  for (const register of [RCX, RDX, R8, R9, R10, R11]) setHalves(regs, register, 0, 0);
  if ((lo & 0xfff) !== 0 || hi >>> m.hpaShift !== 0) return INVALID;
  const frame = (lo >>> 12) + hi * 2 ** 20;
  if (m.pamt.kindOf(frame) === OUTSIDE) return OUT_OF_RANGE;
  if (m.frameLocks.any && m.frameLocks.isBusy(frame)) return BUSY;
  const size = m.pamt.sizeAt(frame);
  const type = m.pamt.typeAt(frame, size);
  if (type === PAGE_TYPE.NDA || type === PAGE_TYPE.RSVD || type === EXT_POOL) return BAD_METADATA;
  const tdr = ownerTdr(m, frame, size, type);
  setHalves(regs, RCX, type, 0);
  setHalves(regs, RDX, tdr << 12, tdr >>> 20);
  setHalves(regs, R8, size, 0);
  if (frame % 512 ** size !== 0) return INVALID;
  const result = reclaim(m, frame, size, type);
  if (result === SUCCESS) setHalves(regs, R9, 0, pairHint(m, frame, size));
  return result;
};

const reclaim = (m: TdxModule, frame: number, size: number, type: number): Status => {
  const td = m.tds[m.pamt.ownerAt(frame, size) - 1]!;
  const isTdr = type === PAGE_TYPE.TDR;
  if (td.locks.isBusy(LOCK.TDR, isTdr)) return isTdr ? BUSY : BUSY_TDR;
  if (td.lifecycle !== LIFECYCLE.TEARDOWN) return WRONG_LIFECYCLE;
  if (isTdr && td.words[TD_WORD.CHILD_COUNT] !== 0) return PAGES_EXIST;
  m.pamt.free(frame, size);
  if (isTdr) td.reset();
  else td.words[TD_WORD.CHILD_COUNT]! -= 512 ** size;
  return SUCCESS;
};
