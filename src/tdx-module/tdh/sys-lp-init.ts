import { R8, RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import { SYS_STATE } from "../sys-state.ts";

const SUCCESS = status("SUCCESS");
const NOT_PENDING = status("SYS_LP_INIT_NOT_PENDING");
const DONE = status("SYS_LP_INIT_DONE");

/**
 * TDH.SYS.LP.INIT: lets the logical processor that calls join.
 *
 * @returns SUCCESS; SYS_LP_INIT_NOT_PENDING before TDH.SYS.INIT and after TDH.SYS.CONFIG; SYS_LP_INIT_DONE for a processor
 *   that has joined. RCX, RDX and R8 are zero. A refusal changes nothing else.
 * @source TDX module 1.5.25, TDH.SYS.LP.INIT
 * @missing processors that differ in CPUID or MSRs
 */
export const tdhSysLpInit = (m: TdxModule, regs: Regs): Status => {
  for (const register of [RCX, RDX, R8]) setHalves(regs, register, 0, 0);
  if (m.sys.state !== SYS_STATE.INIT_DONE) return NOT_PENDING;
  if (m.sys.isLpDone(m.lp)) return DONE;
  m.sys.lpDone(m.lp);
  return SUCCESS;
};
