import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import { checkTdvpr, checkTdvps, TAKE_SHARED } from "../operands.ts";
import { TD_WORD, VCPU_STATE, VCPU_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const BUSY = status("OPERAND_BUSY", "RCX");
const NO_KEYS = status("TD_KEYS_NOT_CONFIGURED");
const NOT_ASSOCIATED = status("VCPU_NOT_ASSOCIATED");

/**
 * TDH.VP.FLUSH: takes a vCPU off the processor that it ran on.
 *
 * @param regs RCX: TDVPR
 * @returns SUCCESS; OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR or PAGE_METADATA_INCORRECT(RCX); OPERAND_BUSY(RCX) also
 *   while the vCPU runs; TD_KEYS_NOT_CONFIGURED; TDCX_NUM_INCORRECT; VCPU_NOT_ASSOCIATED. A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.VP.FLUSH
 */
export const tdhVpFlush = (m: TdxModule, regs: Regs): Status => {
  const noVcpu = checkTdvpr(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, OPERAND_ID.RCX, TAKE_SHARED);
  if (noVcpu !== SUCCESS) return noVcpu;
  const td = m.td;
  const vcpu = m.vcpu;
  if (td.vcpu(vcpu, VCPU_WORD.STATE) === VCPU_STATE.ACTIVE) return BUSY;
  if (!td.hasKeys) return NO_KEYS;
  const noPages = checkTdvps(m);
  if (noPages !== SUCCESS) return noPages;
  if (td.vcpu(vcpu, VCPU_WORD.ASSOCIATED) === 0) return NOT_ASSOCIATED;
  td.setVcpu(vcpu, VCPU_WORD.ASSOCIATED, 0);
  td.words[TD_WORD.VCPUS_ASSOCIATED]!--;
  return SUCCESS;
};
