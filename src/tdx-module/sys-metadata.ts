import { FieldTable } from "../abi/tdx/metadata-field-id.ts";
import { SYS_FIELDS, type SysField } from "../abi/tdx/sys-fields.ts";
import { tdxFeatures0 } from "../abi/tdx/td-controls.ts";
import { NotModelled } from "../not-modelled.ts";
import type { TdxModule } from "./module.ts";

export const SYS_TABLE = new FieldTable<SysField>(SYS_FIELDS);

const VENDOR_INTEL = 0x8086n;

/**
 * A guest-readable field of the module.
 *
 * TDX_FEATURES0 tells what the modelled module can do for a guest: no migration, no partitioning, no
 * dynamic PAMT, although 1.5.25 has them.
 *
 * @missing fields about migration
 */
export const readSysField = (m: TdxModule, name: SysField): bigint => {
  switch (name) {
    case "VENDOR_ID":
      return VENDOR_INTEL;
    case "MAJOR_VERSION":
      return BigInt(m.version.major);
    case "MINOR_VERSION":
      return BigInt(m.version.minor);
    case "SYS_ATTRIBUTES":
      return 0n;
    case "NUM_TDX_FEATURES":
      return 1n;
    case "TDX_FEATURES0":
      return tdxFeatures0(m.features);
    default:
      if (name.startsWith("MI") || name.startsWith("MAX_") || name === "GUEST_L2_GPA_ATTR_MASK") return 0n;
      throw new NotModelled(`module field ${name}`);
  }
};
