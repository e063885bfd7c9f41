import { TDH } from "../../abi/tdx/leaves.ts";
import { R8, RCX, RDX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status, withDetails } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import { checkTdState, checkTdvpr, checkTdvps, TAKE_EXCLUSIVE, TAKE_SHARED } from "../operands.ts";
import { TD_WORD, type Td, VCPU_STATE, VCPU_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const BAD_VERSION = status("OPERAND_INVALID", "RAX");
const BAD_APIC_ID = status("OPERAND_INVALID", "R8");
const WRONG_STATE = status("VCPU_STATE_INCORRECT");
const TOO_MANY = status("MAX_VCPUS_EXCEEDED");
const NOT_UNIQUE = status("X2APIC_ID_NOT_UNIQUE");

/**
 * TDH.VP.INIT: makes a vCPU ready to run and gives it the next index.
 *
 * @param regs RCX: TDVPR; RDX: the guest's first RCX and R8; version 1: R8 x2APIC id
 * @returns SUCCESS, the vCPU READY and associated; OPERAND_INVALID(RAX) for a version above 1; the refusals about
 *   TDVPR and TD state; TDCX_NUM_INCORRECT before its six pages are there; VCPU_STATE_INCORRECT; MAX_VCPUS_EXCEEDED;
 *   OPERAND_INVALID(R8); X2APIC_ID_NOT_UNIQUE. Version 0 of any vCPU leaves the TD without topology enumeration.
 *   A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.VP.INIT
 * @missing initial register state other than RCX
 */
export const tdhVpInit = (m: TdxModule, regs: Regs, version: number): Status => {
  if (version > 1) return BAD_VERSION;
  const take = version > 0 ? TAKE_EXCLUSIVE : TAKE_SHARED;
  const noVcpu = checkTdvpr(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, OPERAND_ID.RCX, take);
  if (noVcpu !== SUCCESS) return noVcpu;
  const badState = checkTdState(m, TDH["TDH.VP.INIT"], TAKE_SHARED);
  if (badState !== SUCCESS) return badState;
  const noPages = checkTdvps(m);
  if (noPages !== SUCCESS) return noPages;
  const td = m.td;
  const vcpu = m.vcpu;
  const state = td.vcpu(vcpu, VCPU_WORD.STATE);
  if (state !== VCPU_STATE.UNINITIALIZED) return withDetails(WRONG_STATE, state);
  const index = td.words[TD_WORD.VCPUS_INITIALIZED]!;
  if (index >= td.words[TD_WORD.MAX_VCPUS]!) return TOO_MANY;
  if (version > 0 && regs[2 * R8 + 1] !== 0) return BAD_APIC_ID;
  const apicId = regs[2 * R8]!;
  if (version > 0 && isApicIdTaken(td, apicId)) return withDetails(NOT_UNIQUE, apicId);
  td.words[TD_WORD.VCPUS_INITIALIZED] = index + 1;
  td.words[TD_WORD.VCPUS_ASSOCIATED]!++;
  td.setVcpu(vcpu, VCPU_WORD.INDEX, index);
  td.setVcpu(vcpu, VCPU_WORD.STATE, VCPU_STATE.READY);
  td.setVcpu(vcpu, VCPU_WORD.ASSOCIATED, 1);
  td.setVcpu(vcpu, VCPU_WORD.INITIAL_RCX, regs[2 * RDX]!);
  td.setVcpu(vcpu, VCPU_WORD.INITIAL_RCX + 1, regs[2 * RDX + 1]!);
  if (version > 0) td.setVcpu(vcpu, VCPU_WORD.X2APIC_ID, apicId);
  else withoutTopology(td);
  return SUCCESS;
};

const withoutTopology = (td: Td): void => {
  td.words[TD_WORD.TOPOLOGY_ENUM_CONFIGURED] = 0;
  td.words[TD_WORD.VE_REDUCTION_VALID] = 0;
};

const isApicIdTaken = (td: Td, apicId: number): boolean => {
  for (let vcpu = 0; vcpu < td.vcpuCount; vcpu++) {
    const initialised = td.vcpu(vcpu, VCPU_WORD.STATE) !== VCPU_STATE.UNINITIALIZED;
    if (initialised && td.vcpu(vcpu, VCPU_WORD.X2APIC_ID) === apicId) return true;
  }
  return false;
};
