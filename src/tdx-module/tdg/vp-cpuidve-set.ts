import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { TD_CTLS_LOCK_HI } from "../../abi/tdx/td-controls.ts";
import type { TdxModule } from "../module.ts";
import { TD_WORD, type Td, VCPU_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");

/**
 * TDG.VP.CPUIDVE.SET: chooses whether every CPUID raises #VE. CPUID is not modelled, so only the choice is kept.
 *
 * @param regs RCX: bit 0 in the kernel, bit 1 in user space
 * @returns SUCCESS; OPERAND_INVALID(RCX) for another bit, or for a change once TD_CTLS.LOCK is set
 * @source TDX module 1.5.25, TDG.VP.CPUIDVE.SET
 */
export const tdgVpCpuidveSet = (_m: TdxModule, td: Td, vcpu: number, regs: Regs): Status => {
  const choice = regs[2 * RCX]!;
  if (choice > 3 || regs[2 * RCX + 1] !== 0) return INVALID;
  const locked = td.words[TD_WORD.TD_CTLS + 1]! >= TD_CTLS_LOCK_HI;
  if (locked && choice !== td.vcpu(vcpu, VCPU_WORD.CPUIDVE)) return INVALID;
  td.setVcpu(vcpu, VCPU_WORD.CPUIDVE, choice);
  return SUCCESS;
};
