import { TDH } from "../../abi/tdx/leaves.ts";
import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { OP_STATE } from "../../abi/tdx/td-state.ts";
import { finishMeasurement } from "../measurement.ts";
import type { TdxModule } from "../module.ts";
import { checkTdr, checkTdState, NO_LOCK, TAKE_EXCLUSIVE } from "../operands.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const NO_VCPUS = status("NO_VCPUS");

/**
 * TDH.MR.FINALIZE: the initial image is complete; vCPUs may run.
 *
 * @param regs RCX: TDR
 * @returns SUCCESS, the TD RUNNABLE; the refusals about TDR and TD state; NO_VCPUS. A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.MR.FINALIZE
 */
export const tdhMrFinalize = (m: TdxModule, regs: Regs): Status => {
  const noTdr = checkTdr(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, OPERAND_ID.RCX, TAKE_EXCLUSIVE);
  if (noTdr !== SUCCESS) return noTdr;
  const badState = checkTdState(m, TDH["TDH.MR.FINALIZE"], NO_LOCK);
  if (badState !== SUCCESS) return badState;
  const words = m.td.words;
  if (words[TD_WORD.VCPUS_INITIALIZED] === 0) return NO_VCPUS;
  finishMeasurement(words);
  words[TD_WORD.OP_STATE] = OP_STATE.RUNNABLE;
  return SUCCESS;
};
