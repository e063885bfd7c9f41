import { TDH } from "../../abi/tdx/leaves.ts";
import { RCX, RDX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import type { TdxModule } from "../module.ts";
import { checkPage, checkTdr, checkTdState, TAKE_SHARED } from "../operands.ts";
import { SIZE_4K } from "../pamt.ts";
import { TD_WORD, VCPU_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");

/**
 * TDH.VP.CREATE: makes a page the root (TDVPR) of a new vCPU.
 *
 * @param regs RCX: host address of a free 4 KiB page; RDX: TDR
 * @returns SUCCESS; the refusals about TDR and TD state; OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, OPERAND_BUSY or
 *   PAGE_METADATA_INCORRECT(RCX). A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.VP.CREATE
 */
export const tdhVpCreate = (m: TdxModule, regs: Regs): Status => {
  const noTdr = checkTdr(m, regs[2 * RDX]!, regs[2 * RDX + 1]!, OPERAND_ID.RDX, TAKE_SHARED);
  if (noTdr !== SUCCESS) return noTdr;
  const badState = checkTdState(m, TDH["TDH.VP.CREATE"], TAKE_SHARED);
  if (badState !== SUCCESS) return badState;
  const badPage = checkPage(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, PAGE_TYPE.NDA, OPERAND_ID.RCX);
  if (badPage !== SUCCESS) return badPage;
  const td = m.td;
  const vcpu = td.vcpuCount;
  td.reserveVcpu(vcpu + 1);
  td.words[TD_WORD.VCPUS_CREATED] = vcpu + 1;
  td.setVcpu(vcpu, VCPU_WORD.TDVPR_FRAME, m.frame);
  td.setVcpu(vcpu, VCPU_WORD.PAGES, 1);
  td.words[TD_WORD.CHILD_COUNT]!++;
  m.pamt.take(m.frame, SIZE_4K, PAGE_TYPE.TDVPR, td.number + 1);
  return SUCCESS;
};
