import type { FieldElement } from "../abi/tdx/metadata-field-id.ts";
import { DEFAULT_MAX_RESERVED_PER_TDMR, DEFAULT_MAX_TDMRS } from "../abi/tdx/sys-config.ts";
import type { SysField } from "../abi/tdx/sys-fields.ts";
import { PAMT_ENTRY_BYTES } from "../abi/tdx/tdmr-info.ts";
import { NotModelled } from "../not-modelled.ts";
import type { TdxModule } from "./module.ts";
import { TDCS_PAGES, TDVPS_PAGES } from "./operands.ts";
import { readSysField } from "./sys-metadata.ts";
import { SYS_WORD } from "./sys-state.ts";

const CONSTANTS: { readonly [name in SysField]?: bigint } = {
  PAMT_4K_ENTRY_SIZE: PAMT_ENTRY_BYTES,
  PAMT_2M_ENTRY_SIZE: PAMT_ENTRY_BYTES,
  PAMT_1G_ENTRY_SIZE: PAMT_ENTRY_BYTES,
  PAMT_PAGE_BITMAP_ENTRY_BITS: 1n,
  MAX_VCPUS_PER_TD: 576n,
  TDR_BASE_SIZE: 4096n,
  TDCS_BASE_SIZE: 4096n * BigInt(TDCS_PAGES),
  TDVPS_BASE_SIZE: 4096n * BigInt(TDVPS_PAGES),
};
/** Fields that a module has only with the feature. */
const EXTENSION_FIELDS: ReadonlySet<SysField> = new Set(["EXT_REQUIRED", "MEMORY_POOL_REQUIRED_PAGES"]);

/**
 * A field of platform scope as the host reads it, before and after the module is ready.
 *
 * EXT_REQUIRED is 1 as long as TDH.EXT.INIT is to be made, MEMORY_POOL_REQUIRED_PAGES the number of pages that are still
 * to be given (inference: both must read 0 after an update of a module that has its pool). Both are zero until
 * TDH.SYS.CONFIG, before which the sources call them invalid.
 *
 * @returns undefined for a field that a module without the feature does not have
 * @throws NotModelled for a field whose value no source tells
 * @missing versions and dates of the build, hand-off, what TDs may be configured with, migration, service TDs
 * @source TDX module 1.5.25, global fields; Linux TDX Module Extensions series, 2026-06
 */
export const readHostSysField = (m: TdxModule, field: FieldElement<SysField>): bigint | undefined => {
  const { name, element } = field;
  if (EXTENSION_FIELDS.has(name) && !m.features.includes("EXT")) return undefined;
  const constant = CONSTANTS[name];
  if (constant !== undefined) return constant;
  const { cmrs, packages, maxTdmrs, maxReserved } = m.sysInfo;
  switch (name) {
    case "NUM_PKGS":
      return BigInt(packages);
    case "NUM_CMRS":
      return BigInt(cmrs.length);
    case "CMR_BASE":
      return cmrs[element]?.base ?? 0n;
    case "CMR_SIZE":
      return cmrs[element]?.size ?? 0n;
    case "MAX_TDMRS":
      return BigInt(maxTdmrs ?? DEFAULT_MAX_TDMRS);
    case "MAX_RESERVED_PER_TDMR":
      return BigInt(maxReserved ?? DEFAULT_MAX_RESERVED_PER_TDMR);
    case "EXT_REQUIRED":
      return BigInt(m.sys.words[SYS_WORD.EXT_REQUIRED]!);
    case "MEMORY_POOL_REQUIRED_PAGES":
      return BigInt(m.sys.words[SYS_WORD.EXT_WANTED]! - m.sys.words[SYS_WORD.EXT_GIVEN]!);
    default:
      if (field.read === 0n) throw new NotModelled(`TDH.SYS.RD of ${name}`);
      return readSysField(m, name);
  }
};
