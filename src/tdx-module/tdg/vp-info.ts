import { R8, R9, R10, R11, RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import { TD_WORD, type Td, VCPU_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");

/**
 * TDG.VP.INFO: what a guest must know of its TD.
 *
 * @returns SUCCESS: RCX the width of a GPA, RDX ATTRIBUTES, R8 number of vCPUs and their maximum (63:32),
 *   R9 index of this vCPU, R10 bit 0 (metadata of the module can be read), R11 zero
 * @source TDX module 1.5.25, TDG.VP.INFO
 */
export const tdgVpInfo = (_m: TdxModule, td: Td, vcpu: number, regs: Regs): Status => {
  const words = td.words;
  setHalves(regs, RCX, words[TD_WORD.GPAW]!, 0);
  setHalves(regs, RDX, words[TD_WORD.ATTRIBUTES]!, words[TD_WORD.ATTRIBUTES + 1]!);
  setHalves(regs, R8, words[TD_WORD.VCPUS_INITIALIZED]!, words[TD_WORD.MAX_VCPUS]!);
  setHalves(regs, R9, td.vcpu(vcpu, VCPU_WORD.INDEX), 0);
  setHalves(regs, R10, 1, 0);
  setHalves(regs, R11, 0, 0);
  return SUCCESS;
};
