import { type FieldElement, FieldTable } from "../abi/tdx/metadata-field-id.ts";
import { TD_FIELDS, type TdField } from "../abi/tdx/td-fields.ts";
import { NotModelled } from "../not-modelled.ts";
import { getWord64, TD_WORD, type Td } from "./td.ts";

export const TD_TABLE = new FieldTable<TdField>(TD_FIELDS);

/** Fields that are 64-bit words of the TD's control state, element by element. */
const WIDE: { readonly [name in TdField]?: number } = {
  TD_UUID: TD_WORD.UUID,
  ATTRIBUTES: TD_WORD.ATTRIBUTES,
  XFAM: TD_WORD.XFAM,
  NOTIFY_ENABLES: TD_WORD.NOTIFY_ENABLES,
  CONFIG_FLAGS: TD_WORD.CONFIG_FLAGS,
  TD_CTLS: TD_WORD.TD_CTLS,
  FEATURE_PARAVIRT_CTLS: TD_WORD.FEATURE_PARAVIRT_CTLS,
  MRTD: TD_WORD.MRTD,
  MRCONFIGID: TD_WORD.MRCONFIGID,
  MROWNER: TD_WORD.MROWNER,
  MROWNERCONFIG: TD_WORD.MROWNERCONFIG,
  RTMR: TD_WORD.RTMR,
};

/** Fields that are one word of it. */
const NARROW: { readonly [name in TdField]?: number } = {
  NUM_VCPUS: TD_WORD.VCPUS_INITIALIZED,
  NUM_L2_VMS: TD_WORD.NUM_L2_VMS,
  MAX_VCPUS: TD_WORD.MAX_VCPUS,
  TSC_FREQUENCY: TD_WORD.TSC_FREQUENCY,
  TOPOLOGY_ENUM_CONFIGURED: TD_WORD.TOPOLOGY_ENUM_CONFIGURED,
  VE_REDUCTION_VALID: TD_WORD.VE_REDUCTION_VALID,
};

/** Fields of a TD that was never migrated and has no service TD. */
const ALWAYS_ZERO: ReadonlySet<TdField> = new Set([
  "PRE_IMPORT_UUID",
  "SERVTD_HASH",
  "SERVTD_NUM",
  "SERVTD_BINDINGS_TABLE",
]);

/**
 * Value of one guest-readable element, before the read mask.
 *
 * @missing SERVTD_HASH of a TD without service TDs is taken to be zero (inference)
 */
export const readTdField = (td: Td, { name, element }: FieldElement<TdField>): bigint => {
  const wide = WIDE[name];
  if (wide !== undefined) return getWord64(td.words, wide + 2 * element);
  const narrow = NARROW[name];
  if (narrow !== undefined) return BigInt(td.words[narrow]!);
  if (name === "GPAW") return td.hasConfigFlag("GPAW") ? 1n : 0n;
  if (ALWAYS_ZERO.has(name)) return 0n;
  throw new NotModelled(`TD field ${name}`);
};
