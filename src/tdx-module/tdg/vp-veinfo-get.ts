import { R8, R9, R10, R11, R12, RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import { type Td, VCPU_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const BAD_VERSION = status("OPERAND_INVALID", "RAX");
const NOTHING = status("NO_VALID_VE_INFO");

/**
 * TDG.VP.VEINFO.GET: takes the record of the last #VE. Until it is taken, another #VE becomes a #DF.
 *
 * @param version 1 adds the category (RCX 63:32), 2 also R11 (zero) and R12 (interruptibility)
 * @returns SUCCESS: RCX exit reason, RDX exit qualification, R8 linear address, R9 guest-physical address,
 *   R10 instruction length and information (63:32); NO_VALID_VE_INFO with these registers zero;
 *   OPERAND_INVALID(RAX) for a version that the module does not have
 * @changes the record: it is no longer valid
 * @source TDX module 1.5.25, TDG.VP.VEINFO.GET
 */
export const tdgVpVeInfoGet = (m: TdxModule, td: Td, vcpu: number, regs: Regs, version: number): Status => {
  for (const register of [RCX, RDX, R8, R9, R10]) setHalves(regs, register, 0, 0);
  if (version > m.behaviour.veInfoMaxVersion) return BAD_VERSION;
  if (td.vcpu(vcpu, VCPU_WORD.VE_VALID) === 0) return NOTHING;
  const words = td.vcpus;
  const at = td.vcpuAt(vcpu, 0);
  const category = version > 0 ? words[at + VCPU_WORD.VE_CATEGORY]! : 0;
  setHalves(regs, RCX, words[at + VCPU_WORD.VE_REASON]!, category);
  setHalves(regs, RDX, words[at + VCPU_WORD.VE_QUALIFICATION]!, words[at + VCPU_WORD.VE_QUALIFICATION + 1]!);
  setHalves(regs, R8, words[at + VCPU_WORD.VE_LINEAR]!, words[at + VCPU_WORD.VE_LINEAR + 1]!);
  setHalves(regs, R9, words[at + VCPU_WORD.VE_GPA]!, words[at + VCPU_WORD.VE_GPA + 1]!);
  setHalves(regs, R10, words[at + VCPU_WORD.VE_LENGTH]!, words[at + VCPU_WORD.VE_INFORMATION]!);
  if (version >= 2) {
    setHalves(regs, R11, 0, 0);
    setHalves(regs, R12, words[at + VCPU_WORD.VE_INTERRUPTIBILITY]!, 0);
  }
  words[at + VCPU_WORD.VE_VALID] = 0;
  return SUCCESS;
};
