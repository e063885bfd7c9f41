import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import { SYS_STATE } from "../sys-state.ts";
import { firstBadCmr } from "../tdmr-rules.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");
const NOT_PENDING = status("SYS_INIT_NOT_PENDING");
const BAD_CMRS = status("CMR_LIST_INVALID");

/**
 * TDH.SYS.INIT: starts the module, once, on any logical processor.
 *
 * @param regs RCX: attributes, all of which are reserved
 * @returns SUCCESS; OPERAND_INVALID(RCX); SYS_INIT_NOT_PENDING if it was made before; CMR_LIST_INVALID if the firmware's
 *   list of convertible memory contradicts itself. A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.SYS.INIT
 * @missing version 1, checks of CPUID, MSRs, SMRRs and key ids
 */
export const tdhSysInit = (m: TdxModule, regs: Regs): Status => {
  if ((regs[2 * RCX]! | regs[2 * RCX + 1]!) !== 0) return INVALID;
  if (m.sys.state !== SYS_STATE.INIT_PENDING) return NOT_PENDING;
  if (firstBadCmr(m.sysInfo.cmrs, m.hpaEnd) >= 0) return BAD_CMRS;
  m.sys.state = SYS_STATE.INIT_DONE;
  return SUCCESS;
};
