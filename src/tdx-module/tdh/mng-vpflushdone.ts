import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { LIFECYCLE, OP_STATE } from "../../abi/tdx/td-state.ts";
import { KEY } from "../key-table.ts";
import type { TdxModule } from "../module.ts";
import { checkTdr, TAKE_EXCLUSIVE, TDCS_PAGES } from "../operands.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const WRONG_LIFECYCLE = status("LIFECYCLE_STATE_INCORRECT");
const NOT_FLUSHED = status("FLUSHVP_NOT_DONE");

/**
 * TDH.MNG.VPFLUSHDONE: no vCPU of the TD is on a processor any more; its key id may go.
 *
 * @param regs RCX: TDR
 * @returns SUCCESS, the life cycle BLOCKED; the refusals about TDR; LIFECYCLE_STATE_INCORRECT;
 *   FLUSHVP_NOT_DONE while a vCPU is associated. A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.MNG.VPFLUSHDONE
 */
export const tdhMngVpflushdone = (m: TdxModule, regs: Regs): Status => {
  const noTdr = checkTdr(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, OPERAND_ID.RCX, TAKE_EXCLUSIVE);
  if (noTdr !== SUCCESS) return noTdr;
  const words = m.td.words;
  const lifecycle = words[TD_WORD.LIFECYCLE]!;
  const fits = lifecycle === LIFECYCLE.KEYS_CONFIGURED || lifecycle === LIFECYCLE.HKID_ASSIGNED;
  if (!fits) return WRONG_LIFECYCLE;
  const initialised = words[TD_WORD.TDCX_COUNT]! >= TDCS_PAGES && m.td.opState !== OP_STATE.UNINITIALIZED;
  if (initialised && words[TD_WORD.VCPUS_ASSOCIATED] !== 0) return NOT_FLUSHED;
  words[TD_WORD.LIFECYCLE] = LIFECYCLE.BLOCKED;
  m.keys.setState(words[TD_WORD.HKID]!, KEY.FLUSHED);
  return SUCCESS;
};
