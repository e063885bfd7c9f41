import { getBig, R8, R9, RCX, RDX, type Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import {
  DEFAULT_MAX_RESERVED_PER_TDMR,
  DEFAULT_MAX_TDMRS,
  SYS_CONFIG_OPTIONS,
  TDMR_ARRAY_ALIGNMENT,
} from "../../abi/tdx/sys-config.ts";
import { TDX_FEATURES0_BITS, tdxFeatures0 } from "../../abi/tdx/td-controls.ts";
import {
  decodeReservedAreas,
  decodeTdmrInfo,
  TDMR_INFO_BYTES,
  type TdmrInfo,
} from "../../abi/tdx/tdmr-info.ts";
import { KEY } from "../key-table.ts";
import type { TdxModule } from "../module.ts";
import { sharedHpa } from "../shared-hpa.ts";
import { SYS_STATE, SYS_WORD } from "../sys-state.ts";
import type { Tdmr } from "../tdmr.ts";
import { TdmrChecker } from "../tdmr-rules.ts";

const SUCCESS = status("SUCCESS");
const NOT_PENDING = status("SYS_CONFIG_NOT_PENDING");
const BAD_VERSION = status("OPERAND_INVALID", "RAX");
const BAD_ARRAY = status("OPERAND_INVALID", "RCX");
const BAD_COUNT = status("OPERAND_INVALID", "RDX");
const BAD_OPTIONS = status("OPERAND_INVALID", "R8");
const BAD_FEATURES = status("OPERAND_INVALID", "R9");

/** Features that a host chooses in version 1, and that want the extensions. */
const ADD_ON_FEATURES = 1n << BigInt(TDX_FEATURES0_BITS.QUOTE);

/**
 * TDH.SYS.CONFIG: gives the module its TDMRs and its global key id.
 *
 * @param regs RCX: host address of an array of addresses of TDMR_INFO, aligned to 512; RDX: their number;
 *   R8: global private key id, bit 16 dynamic PAMT; R9 (version 1, modules with extensions): add-on features
 * @returns SUCCESS; SYS_CONFIG_NOT_PENDING unless TDH.SYS.INIT and each processor's TDH.SYS.LP.INIT were made;
 *   OPERAND_INVALID(RAX, RCX, RDX, R8 or R9); what `TdmrChecker` says of the first bad TDMR. A refusal changes nothing.
 * @changes the TDMR table, the state of the global key id, what the extensions want
 * @source TDX module 1.5.25, TDH.SYS.CONFIG; version 1 from the Linux TDX Module Extensions series, 2026-06 (its refusals are
 *   inference)
 * @missing width limits of dynamic PAMT
 */
export const tdhSysConfig = (m: TdxModule, regs: Regs, version: number): Status => {
  if (version > 1 || (version === 1 && !m.features.includes("EXT"))) return BAD_VERSION;
  const { sys, sysInfo } = m;
  const allJoined = sys.words[SYS_WORD.LPS_DONE] === sys.logicalProcessors;
  if (sys.state !== SYS_STATE.INIT_DONE || !allJoined) return NOT_PENDING;
  const array = sharedHpa(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, TDMR_ARRAY_ALIGNMENT);
  if (array < 0) return BAD_ARRAY;
  const count = getBig(regs, RDX);
  if (count < 1n || count > BigInt(sysInfo.maxTdmrs ?? DEFAULT_MAX_TDMRS)) return BAD_COUNT;
  const options = getBig(regs, R8);
  const { hkid, dynamicPamt } = SYS_CONFIG_OPTIONS.decode(options);
  const dynamic = dynamicPamt === 1n;
  if ((options & SYS_CONFIG_OPTIONS.reserved) !== 0n || !m.keys.isPrivate(Number(hkid))) return BAD_OPTIONS;
  if (dynamic && !m.features.includes("DYNAMIC_PAMT")) return BAD_OPTIONS;
  const features = version === 0 ? 0n : getBig(regs, R9);
  if ((features & ~(ADD_ON_FEATURES & tdxFeatures0(m.features))) !== 0n) return BAD_FEATURES;
  const infos: TdmrInfo[] = [];
  const bad = readTdmrs(m, array, Number(count), dynamic, infos);
  if (bad !== SUCCESS) return bad;
  m.keys.setState(Number(hkid), KEY.RESERVED);
  sys.words[SYS_WORD.GLOBAL_HKID] = Number(hkid);
  sys.words[SYS_WORD.DYNAMIC_PAMT] = dynamic ? 1 : 0;
  sys.words[SYS_WORD.EXT_REQUIRED] = features === 0n ? 0 : 1;
  sys.words[SYS_WORD.EXT_WANTED] = features === 0n ? 0 : (sysInfo.extensionPages ?? 0);
  sys.setTdmrs(infos.map(tdmrOf));
  sys.state = SYS_STATE.CONFIG_DONE;
  m.followSys();
  return SUCCESS;
};

/** Reads the TDMRs one by one, each checked before the next is read. */
const readTdmrs = (
  m: TdxModule,
  array: number,
  count: number,
  dynamic: boolean,
  into: TdmrInfo[],
): Status => {
  const checker = new TdmrChecker({ cmrs: m.sysInfo.cmrs, hpaEnd: m.hpaEnd, dynamicPamt: dynamic });
  const areas = m.sysInfo.maxReserved ?? DEFAULT_MAX_RESERVED_PER_TDMR;
  const pointer = new Uint8Array(8);
  const view = new DataView(pointer.buffer);
  const bytes = new Uint8Array(TDMR_INFO_BYTES);
  for (let i = 0; i < count; i++) {
    m.host.read(array + 8 * i, pointer);
    const at = sharedHpa(m, view.getUint32(0, true), view.getUint32(4, true), TDMR_INFO_BYTES);
    if (at < 0) return BAD_ARRAY;
    m.host.read(at, bytes);
    const info = { ...decodeTdmrInfo(bytes), reserved: decodeReservedAreas(bytes, areas) };
    const broken = checker.check(info);
    if (broken !== SUCCESS) return broken;
    into.push(info);
  }
  return SUCCESS;
};

const tdmrOf = ({ base, size, reserved }: TdmrInfo): Tdmr => ({
  base: Number(base),
  size: Number(size),
  reserved: reserved
    .filter((area) => area.size > 0n)
    .map((area) => ({ offset: Number(area.offset), size: Number(area.size) })),
});
