import type { Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import { SYS_STATE, SYS_WORD } from "../sys-state.ts";

const SUCCESS = status("SUCCESS");
const NOT_PENDING = status("SYS_KEY_CONFIG_NOT_PENDING");
const CONFIGURED = status("KEY_CONFIGURED");

/**
 * TDH.SYS.KEY.CONFIG: makes the global key on the package of the processor that calls. The last package makes the module
 * ready.
 *
 * @returns SUCCESS; SYS_KEY_CONFIG_NOT_PENDING unless TDH.SYS.CONFIG was the last step; KEY_CONFIGURED, which is information,
 *   for a package that has the key. A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.SYS.KEY.CONFIG
 * @missing KEY_GENERATION_FAILED other than by injection
 */
export const tdhSysKeyConfig = (m: TdxModule, _regs: Regs): Status => {
  const { sys } = m;
  if (sys.state !== SYS_STATE.CONFIG_DONE) return NOT_PENDING;
  const bit = (1 << sys.packageOf(m.lp)) >>> 0;
  if ((sys.words[SYS_WORD.PACKAGES]! & bit) !== 0) return CONFIGURED;
  sys.words[SYS_WORD.PACKAGES]! |= bit;
  sys.words[SYS_WORD.PACKAGES_DONE]!++;
  if (sys.words[SYS_WORD.PACKAGES_DONE] !== m.sysInfo.packages) return SUCCESS;
  sys.state = SYS_STATE.READY;
  m.ready = true;
  return SUCCESS;
};
