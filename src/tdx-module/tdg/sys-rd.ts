import { isNullFieldId, isSingleElementId, NO_FIELD_ID } from "../../abi/tdx/metadata-field-id.ts";
import { getBig, R8, RDX, type Regs, setBig } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import { readSysField, SYS_TABLE } from "../sys-metadata.ts";
import type { Td } from "../td.ts";

const SUCCESS = status("SUCCESS");
const FIRST_FIELD = status("METADATA_FIRST_FIELD_ID_IN_CONTEXT");
const BAD_ID = status("METADATA_FIELD_ID_INCORRECT");
const NOT_READABLE = status("METADATA_FIELD_NOT_READABLE");

/**
 * TDG.SYS.RD: reads one element of the module's metadata.
 *
 * @param regs RDX: field identifier, all ones asks for the first one
 * @returns SUCCESS: R8 the value, RDX the next readable identifier or all ones;
 *   METADATA_FIRST_FIELD_ID_IN_CONTEXT: RDX the first identifier;
 *   METADATA_FIELD_ID_INCORRECT, METADATA_FIELD_NOT_READABLE: R8 zero, RDX all ones
 * @source TDX module 1.5.25, TDG.SYS.RD
 */
export const tdgSysRd = (m: TdxModule, _td: Td, _vcpu: number, regs: Regs): Status => {
  const id = getBig(regs, RDX);
  setBig(regs, RDX, NO_FIELD_ID);
  setBig(regs, R8, 0n);
  if (isNullFieldId(id)) {
    setBig(regs, RDX, SYS_TABLE.nextReadable(undefined));
    return FIRST_FIELD;
  }
  if (!isSingleElementId(id)) return BAD_ID;
  const element = SYS_TABLE.find(id);
  if (element === undefined) return BAD_ID;
  if (element.read === 0n) return NOT_READABLE;
  setBig(regs, R8, readSysField(m, element.name) & element.read);
  setBig(regs, RDX, SYS_TABLE.nextReadable(id));
  return SUCCESS;
};
