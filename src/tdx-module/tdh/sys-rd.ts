import { isNullFieldId, isSingleElementId, NO_FIELD_ID } from "../../abi/tdx/metadata-field-id.ts";
import { getBig, R8, RDX, type Regs, setBig } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { readHostSysField } from "../host-sys-fields.ts";
import type { TdxModule } from "../module.ts";
import { SYS_TABLE } from "../sys-metadata.ts";

const SUCCESS = status("SUCCESS");
const NO_LP = status("SYS_LP_INIT_NOT_DONE");
const FIRST_FIELD = status("METADATA_FIRST_FIELD_ID_IN_CONTEXT");
const BAD_ID = status("METADATA_FIELD_ID_INCORRECT");

/**
 * TDH.SYS.RD: reads one element of the module's metadata, before the module is ready too.
 *
 * @param regs RDX: field identifier, all ones asks for the first one
 * @returns SUCCESS: R8 the value, RDX the next identifier or all ones;
 *   METADATA_FIRST_FIELD_ID_IN_CONTEXT: RDX the first identifier;
 *   SYS_LP_INIT_NOT_DONE, METADATA_FIELD_ID_INCORRECT: R8 zero, RDX all ones
 * @source TDX module 1.5.25, TDH.SYS.RD
 */
export const tdhSysRd = (m: TdxModule, regs: Regs): Status => {
  const id = getBig(regs, RDX);
  setBig(regs, RDX, NO_FIELD_ID);
  setBig(regs, R8, 0n);
  if (!m.sys.isLpDone(m.lp)) return NO_LP;
  if (isNullFieldId(id)) {
    setBig(regs, RDX, SYS_TABLE.nextReadable(undefined, "host"));
    return FIRST_FIELD;
  }
  const element = isSingleElementId(id) ? SYS_TABLE.find(id) : undefined;
  const value = element === undefined ? undefined : readHostSysField(m, element);
  if (value === undefined) return BAD_ID;
  setBig(regs, R8, value);
  setBig(regs, RDX, SYS_TABLE.nextReadable(id, "host"));
  return SUCCESS;
};
