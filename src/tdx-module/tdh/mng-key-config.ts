import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { LIFECYCLE } from "../../abi/tdx/td-state.ts";
import type { TdxModule } from "../module.ts";
import { checkTdr, TAKE_EXCLUSIVE } from "../operands.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const FATAL = status("TD_FATAL");
const WRONG_LIFECYCLE = status("LIFECYCLE_STATE_INCORRECT");

/**
 * TDH.MNG.KEY.CONFIG: makes the TD's key, on the one package that there is.
 *
 * @param regs RCX: TDR
 * @returns SUCCESS, the life cycle KEYS_CONFIGURED; the refusals about TDR; TD_FATAL;
 *   LIFECYCLE_STATE_INCORRECT unless it was HKID_ASSIGNED. A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.MNG.KEY.CONFIG
 * @missing several packages (KEY_CONFIGURED), KEY_GENERATION_FAILED other than by injection
 */
export const tdhMngKeyConfig = (m: TdxModule, regs: Regs): Status => {
  const noTdr = checkTdr(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, OPERAND_ID.RCX, TAKE_EXCLUSIVE);
  if (noTdr !== SUCCESS) return noTdr;
  const words = m.td.words;
  if (words[TD_WORD.FATAL] !== 0) return FATAL;
  if (words[TD_WORD.LIFECYCLE] !== LIFECYCLE.HKID_ASSIGNED) return WRONG_LIFECYCLE;
  words[TD_WORD.LIFECYCLE] = LIFECYCLE.KEYS_CONFIGURED;
  return SUCCESS;
};
