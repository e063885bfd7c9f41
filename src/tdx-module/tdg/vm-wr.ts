import { isSingleElementId } from "../../abi/tdx/metadata-field-id.ts";
import { getBig, R8, R9, RCX, RDX, type Regs, setBig } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { TD_CTLS } from "../../abi/tdx/td-controls.ts";
import type { TdxModule } from "../module.ts";
import { getWord64, setWord64, TD_WORD, type Td } from "../td.ts";
import { readTdField, TD_TABLE } from "../td-metadata.ts";

const SUCCESS = status("SUCCESS");
const BAD_VM = status("OPERAND_INVALID", "RCX");
const BAD_ID = status("METADATA_FIELD_ID_INCORRECT");
const NOT_WRITABLE = status("METADATA_FIELD_NOT_WRITABLE");
const BAD_VALUE = status("METADATA_FIELD_VALUE_NOT_VALID");

/**
 * TDG.VM.WR: writes one element of the TD's metadata.
 *
 * @param regs RCX: VM, zero; RDX: field identifier; R8: value; R9: mask of the bits to write
 * @returns SUCCESS: R8 the value before; OPERAND_INVALID(RCX), METADATA_FIELD_ID_INCORRECT;
 *   METADATA_FIELD_NOT_WRITABLE if no bit under the mask is writable;
 *   METADATA_FIELD_VALUE_NOT_VALID if a bit that is not writable would change, or the field's own rule
 *   forbids the value. R8 is zero unless it succeeds. A refusal changes nothing else.
 * @source TDX module 1.5.25, TDG.VM.WR
 * @missing the effects of TD_CTLS and FEATURE_PARAVIRT_CTLS on CPUID and MSRs
 */
export const tdgVmWr = (m: TdxModule, td: Td, _vcpu: number, regs: Regs): Status => {
  const id = getBig(regs, RDX);
  const value = getBig(regs, R8);
  const mask = getBig(regs, R9);
  setBig(regs, R8, 0n);
  if (getBig(regs, RCX) !== 0n) return BAD_VM;
  if (!isSingleElementId(id)) return BAD_ID;
  const element = TD_TABLE.find(id);
  if (element === undefined) return BAD_ID;
  const writable = element.name === "TD_CTLS" ? tdCtlsWritable(m) : element.write;
  const effective = writable & mask;
  if (effective === 0n) return NOT_WRITABLE;
  const before = readTdField(td, element);
  const forbidden = mask & ~writable;
  if ((before & element.read & forbidden) !== (value & forbidden)) return BAD_VALUE;
  const after = (before & ~effective) | (value & effective);
  const refused = write(m, td, element.name, before, after);
  if (refused !== SUCCESS) return refused;
  setBig(regs, R8, before & element.read);
  return SUCCESS;
};

const LOCK = TD_CTLS.encode({
  pendingVeDisable: 0n,
  enumTopology: 0n,
  virtCpuid2: 0n,
  reduceVe: 0n,
  forceHwKeys: 0n,
  lock: 1n,
});
const PENDING_VE_DISABLE = 1n << 0n;
const ENUM_TOPOLOGY = 1n << 1n;
const VIRT_CPUID2 = 1n << 2n;
const REDUCE_VE = 1n << 3n;

const tdCtlsWritable = (m: TdxModule): bigint =>
  BigInt(m.behaviour.tdCtlsKnown) | (m.behaviour.tdCtlsLock ? LOCK : 0n);

/** NOTIFY_ENABLES, TD_CTLS and FEATURE_PARAVIRT_CTLS are the only fields with a write mask. */
const write = (m: TdxModule, td: Td, name: string, before: bigint, after: bigint): Status => {
  if (name === "NOTIFY_ENABLES") {
    setWord64(td.words, TD_WORD.NOTIFY_ENABLES, after);
    return SUCCESS;
  }
  const locked = m.behaviour.tdCtlsLock && (getWord64(td.words, TD_WORD.TD_CTLS) & LOCK) !== 0n;
  if (locked) return before === after ? SUCCESS : BAD_VALUE;
  if (name === "TD_CTLS") return writeTdCtls(td, before, after);
  setWord64(td.words, TD_WORD.FEATURE_PARAVIRT_CTLS, after);
  return SUCCESS;
};

const writeTdCtls = (td: Td, before: bigint, requested: bigint): Status => {
  const changesPendingVe = ((before ^ requested) & PENDING_VE_DISABLE) !== 0n;
  if (changesPendingVe && !td.hasConfigFlag("FLEXIBLE_PENDING_VE")) return BAD_VALUE;
  const implied = (requested & REDUCE_VE) !== 0n ? ENUM_TOPOLOGY | VIRT_CPUID2 : 0n;
  const after = requested | implied;
  if ((after & ENUM_TOPOLOGY) !== 0n && td.words[TD_WORD.TOPOLOGY_ENUM_CONFIGURED] === 0) return BAD_VALUE;
  setWord64(td.words, TD_WORD.TD_CTLS, after);
  return SUCCESS;
};
