import { RCX, RDX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status, withDetails } from "../../abi/tdx/status.ts";
import { LIFECYCLE, OP_STATE, PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import type { TdxModule } from "../module.ts";
import { checkPage, checkTdr, MAX_TDCS_PAGES, TAKE_EXCLUSIVE, TDCS_PAGES } from "../operands.ts";
import { SIZE_4K } from "../pamt.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const FATAL = status("TD_FATAL");
const NO_KEYS = status("TD_KEYS_NOT_CONFIGURED");
const TOO_MANY = status("TDCX_NUM_INCORRECT");
const WRONG_OP_STATE = status("OP_STATE_INCORRECT");

/**
 * TDH.MNG.ADDCX: gives a TD one more page of control structure. The fourth holds the root of its secure EPT.
 *
 * @param regs RCX: host address of a free 4 KiB page; RDX: TDR
 * @returns SUCCESS; the refusals about TDR; TD_FATAL; TD_KEYS_NOT_CONFIGURED; TDCX_NUM_INCORRECT for a tenth page;
 *   OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, OPERAND_BUSY or PAGE_METADATA_INCORRECT(RCX); OP_STATE_INCORRECT
 *   once the TD is initialised. A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.MNG.ADDCX
 */
export const tdhMngAddcx = (m: TdxModule, regs: Regs): Status => {
  const noTdr = checkTdr(m, regs[2 * RDX]!, regs[2 * RDX + 1]!, OPERAND_ID.RDX, TAKE_EXCLUSIVE);
  if (noTdr !== SUCCESS) return noTdr;
  const td = m.td;
  const words = td.words;
  if (words[TD_WORD.FATAL] !== 0) return FATAL;
  if (words[TD_WORD.LIFECYCLE] !== LIFECYCLE.KEYS_CONFIGURED) return NO_KEYS;
  const count = words[TD_WORD.TDCX_COUNT]!;
  if (count >= MAX_TDCS_PAGES) return TOO_MANY;
  const badPage = checkPage(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, PAGE_TYPE.NDA, OPERAND_ID.RCX);
  if (badPage !== SUCCESS) return badPage;
  if (count >= TDCS_PAGES && td.opState !== OP_STATE.UNINITIALIZED) {
    return withDetails(WRONG_OP_STATE, td.opState);
  }
  words[TD_WORD.TDCX_FRAMES + count] = m.frame;
  words[TD_WORD.TDCX_COUNT] = count + 1;
  words[TD_WORD.CHILD_COUNT]!++;
  m.pamt.take(m.frame, SIZE_4K, PAGE_TYPE.TDCX, td.number + 1);
  return SUCCESS;
};
