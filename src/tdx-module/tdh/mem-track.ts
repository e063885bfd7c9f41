import { TDH } from "../../abi/tdx/leaves.ts";
import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { LOCK } from "../locks.ts";
import type { TdxModule } from "../module.ts";
import { checkTdr, checkTdState, TAKE_SHARED } from "../operands.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const BUSY_EPOCH = status("OPERAND_BUSY", "TD_EPOCH");
const PREVIOUS_BUSY = status("PREVIOUS_TLB_EPOCH_BUSY");

/**
 * TDH.MEM.TRACK: starts a new TLB epoch. Once every vCPU that entered in the old one has left, translations
 * that were blocked before are gone.
 *
 * @param regs RCX: TDR
 * @returns SUCCESS, TD_EPOCH one more; the refusals about TDR and TD state; OPERAND_BUSY(TD_EPOCH);
 *   PREVIOUS_TLB_EPOCH_BUSY while a vCPU of the epoch before the current one is still inside
 * @source TDX module 1.5.25, TDH.MEM.TRACK
 */
export const tdhMemTrack = (m: TdxModule, regs: Regs): Status => {
  const noTdr = checkTdr(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, OPERAND_ID.RCX, TAKE_SHARED);
  if (noTdr !== SUCCESS) return noTdr;
  const badState = checkTdState(m, TDH["TDH.MEM.TRACK"], TAKE_SHARED);
  if (badState !== SUCCESS) return badState;
  const td = m.td;
  if (td.locks.isBusy(LOCK.TD_EPOCH, true)) return BUSY_EPOCH;
  if (td.words[TD_WORD.REFCOUNT + (1 - (td.epoch & 1))] !== 0) return PREVIOUS_BUSY;
  td.words[TD_WORD.TD_EPOCH]!++;
  return SUCCESS;
};
