import { TDH } from "../../abi/tdx/leaves.ts";
import { RCX, RDX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status, withDetails } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import type { TdxModule } from "../module.ts";
import { checkPage, checkTdState, checkTdvpr, MAX_TDVPS_PAGES, TAKE_SHARED } from "../operands.ts";
import { SIZE_4K } from "../pamt.ts";
import { TD_WORD, VCPU_STATE, VCPU_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const WRONG_STATE = status("VCPU_STATE_INCORRECT");
const TOO_MANY = status("TDCX_NUM_INCORRECT");

/**
 * TDH.VP.ADDCX: gives a vCPU one more page of control structure.
 *
 * @param regs RCX: host address of a free 4 KiB page; RDX: TDVPR
 * @returns SUCCESS; OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, OPERAND_BUSY or PAGE_METADATA_INCORRECT(RDX, then
 *   RCX); the refusals about TD state; VCPU_STATE_INCORRECT once the vCPU is initialised; TDCX_NUM_INCORRECT.
 *   A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.VP.ADDCX
 */
export const tdhVpAddcx = (m: TdxModule, regs: Regs): Status => {
  const noVcpu = checkTdvpr(m, regs[2 * RDX]!, regs[2 * RDX + 1]!, OPERAND_ID.RDX, TAKE_SHARED);
  if (noVcpu !== SUCCESS) return noVcpu;
  const badState = checkTdState(m, TDH["TDH.VP.ADDCX"], TAKE_SHARED);
  if (badState !== SUCCESS) return badState;
  const td = m.td;
  const vcpu = m.vcpu;
  const state = td.vcpu(vcpu, VCPU_WORD.STATE);
  if (state !== VCPU_STATE.UNINITIALIZED) return withDetails(WRONG_STATE, state);
  const pages = td.vcpu(vcpu, VCPU_WORD.PAGES);
  if (pages >= MAX_TDVPS_PAGES) return TOO_MANY;
  const badPage = checkPage(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, PAGE_TYPE.NDA, OPERAND_ID.RCX);
  if (badPage !== SUCCESS) return badPage;
  td.setVcpu(vcpu, VCPU_WORD.PAGES, pages + 1);
  td.words[TD_WORD.CHILD_COUNT]!++;
  m.pamt.take(m.frame, SIZE_4K, PAGE_TYPE.TDCX, td.number + 1);
  return SUCCESS;
};
