import { TDH } from "../../abi/tdx/leaves.ts";
import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status, withDetails } from "../../abi/tdx/status.ts";
import { LOCK } from "../locks.ts";
import type { TdxModule } from "../module.ts";
import { checkTdState, checkTdvpr, checkTdvps, TAKE_SHARED } from "../operands.ts";
import { TD_WORD, VCPU_STATE, VCPU_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");
const WRONG_STATE = status("VCPU_STATE_INCORRECT");
const BUSY_EPOCH = status("OPERAND_BUSY", "TD_EPOCH");

/** Flags that only a TD with L2 VMs, or a vCPU that met a cross-TD trap, may be entered with. */
const FLAGS_HI = 3 << (52 - 32);

/**
 * TDH.VP.ENTER: the vCPU enters its guest, in the current TLB epoch.
 *
 * Hardware comes back from this call at the next TD exit. Here it answers at once, and the next TD exit leaves
 * what it would have answered in the vCPU's exit registers.
 *
 * @param regs RCX: TDVPR
 * @returns SUCCESS, the vCPU runs; OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, OPERAND_BUSY or
 *   PAGE_METADATA_INCORRECT(RCX); the refusals about TD state; TDCX_NUM_INCORRECT; VCPU_STATE_INCORRECT unless the
 *   vCPU is READY; OPERAND_BUSY(TD_EPOCH) during a TRACK. A refusal changes nothing.
 * @changes REFCOUNT of the epoch, the vCPU's epoch and state; it becomes associated
 * @source TDX module 1.5.25, TDH.VP.ENTER
 * @missing VCPU_ASSOCIATED with another processor, the zero-step guard, resuming an L1 VM, host-recoverability hint
 */
export const tdhVpEnter = (m: TdxModule, regs: Regs): Status => {
  const hi = regs[2 * RCX + 1]!;
  if ((hi & FLAGS_HI) !== 0) return INVALID;
  const noVcpu = checkTdvpr(m, regs[2 * RCX]!, hi, OPERAND_ID.RCX, TAKE_SHARED);
  if (noVcpu !== SUCCESS) return noVcpu;
  const badState = checkTdState(m, TDH["TDH.VP.ENTER"], TAKE_SHARED);
  if (badState !== SUCCESS) return badState;
  const noPages = checkTdvps(m);
  if (noPages !== SUCCESS) return noPages;
  const td = m.td;
  const vcpu = m.vcpu;
  const state = td.vcpu(vcpu, VCPU_WORD.STATE);
  if (state !== VCPU_STATE.READY) return withDetails(WRONG_STATE, state);
  if (td.locks.isBusy(LOCK.TD_EPOCH, false)) return BUSY_EPOCH;
  if (td.vcpu(vcpu, VCPU_WORD.ASSOCIATED) === 0) td.words[TD_WORD.VCPUS_ASSOCIATED]!++;
  td.setVcpu(vcpu, VCPU_WORD.ASSOCIATED, 1);
  td.setVcpu(vcpu, VCPU_WORD.STATE, VCPU_STATE.ACTIVE);
  td.setVcpu(vcpu, VCPU_WORD.EPOCH, td.epoch);
  td.words[TD_WORD.REFCOUNT + (td.epoch & 1)]!++;
  return SUCCESS;
};
