import { isNullFieldId, isSingleElementId, NO_FIELD_ID } from "../../abi/tdx/metadata-field-id.ts";
import { getBig, R8, RCX, RDX, type Regs, setBig } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import type { Td } from "../td.ts";
import { readTdField, TD_TABLE } from "../td-metadata.ts";

const SUCCESS = status("SUCCESS");
const BAD_VERSION = status("OPERAND_INVALID", "RAX");
const BAD_VM = status("OPERAND_INVALID", "RCX");
const FIRST_FIELD = status("METADATA_FIRST_FIELD_ID_IN_CONTEXT");
const BAD_ID = status("METADATA_FIELD_ID_INCORRECT");
const NOT_READABLE = status("METADATA_FIELD_NOT_READABLE");

/**
 * TDG.VM.RD: reads one element of the TD's metadata.
 *
 * @param regs RCX: VM, zero; RDX: field identifier, in version 1 all ones asks for the first one
 * @returns SUCCESS: R8 the value, in version 1 RDX the next readable identifier or all ones;
 *   METADATA_FIRST_FIELD_ID_IN_CONTEXT: RDX the first identifier; OPERAND_INVALID(RAX or RCX),
 *   METADATA_FIELD_ID_INCORRECT, METADATA_FIELD_NOT_READABLE. R8 is zero unless it succeeds, and in
 *   version 1 RDX all ones.
 * @source TDX module 1.5.25, TDG.VM.RD
 * @missing the L2 VMs' fields
 */
export const tdgVmRd = (_m: TdxModule, td: Td, _vcpu: number, regs: Regs, version: number): Status => {
  const id = getBig(regs, RDX);
  if (version > 0) setBig(regs, RDX, NO_FIELD_ID);
  setBig(regs, R8, 0n);
  if (version > 1) return BAD_VERSION;
  if (getBig(regs, RCX) !== 0n) return BAD_VM;
  if (version > 0 && isNullFieldId(id)) {
    setBig(regs, RDX, TD_TABLE.nextReadable(undefined));
    return FIRST_FIELD;
  }
  if (!isSingleElementId(id)) return BAD_ID;
  const element = TD_TABLE.find(id);
  if (element === undefined) return BAD_ID;
  if (element.read === 0n) return NOT_READABLE;
  setBig(regs, R8, readTdField(td, element) & element.read);
  if (version > 0) setBig(regs, RDX, TD_TABLE.nextReadable(id));
  return SUCCESS;
};
