import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { LIFECYCLE } from "../../abi/tdx/td-state.ts";
import { KEY } from "../key-table.ts";
import type { TdxModule } from "../module.ts";
import { checkTdr, TAKE_EXCLUSIVE } from "../operands.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const WRONG_LIFECYCLE = status("LIFECYCLE_STATE_INCORRECT");
const NOT_WRITTEN_BACK = status("WBCACHE_NOT_COMPLETE");

/**
 * TDH.MNG.KEY.FREEID: the TD's key id can be given to another TD, and its pages can be reclaimed.
 *
 * @param regs RCX: TDR
 * @returns SUCCESS, the life cycle TEARDOWN; the refusals about TDR; LIFECYCLE_STATE_INCORRECT unless BLOCKED;
 *   WBCACHE_NOT_COMPLETE before TDH.PHYMEM.CACHE.WB. A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.MNG.KEY.FREEID
 */
export const tdhMngKeyFreeid = (m: TdxModule, regs: Regs): Status => {
  const noTdr = checkTdr(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, OPERAND_ID.RCX, TAKE_EXCLUSIVE);
  if (noTdr !== SUCCESS) return noTdr;
  const words = m.td.words;
  if (words[TD_WORD.LIFECYCLE] !== LIFECYCLE.BLOCKED) return WRONG_LIFECYCLE;
  const hkid = words[TD_WORD.HKID]!;
  if (m.keys.stateOf(hkid) !== KEY.WRITTEN_BACK) return NOT_WRITTEN_BACK;
  m.keys.setState(hkid, KEY.FREE);
  words[TD_WORD.LIFECYCLE] = LIFECYCLE.TEARDOWN;
  return SUCCESS;
};
