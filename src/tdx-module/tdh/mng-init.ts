import { TDH } from "../../abi/tdx/leaves.ts";
import { RCX, RDX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { ATTRIBUTES_LO, CONFIG_FLAGS_LO, TD_CTLS_LO } from "../../abi/tdx/td-controls.ts";
import {
  decodeTdParams,
  EPTP_CONTROLS,
  TD_PARAMS_BYTES,
  TD_PARAMS_RESERVED,
  type TdParams,
} from "../../abi/tdx/td-params.ts";
import { OP_STATE } from "../../abi/tdx/td-state.ts";
import { NotModelled } from "../../not-modelled.ts";
import { startMeasurement } from "../measurement.ts";
import type { TdxModule } from "../module.ts";
import { checkTdr, checkTdState, NO_LOCK, TAKE_EXCLUSIVE, TDCS_PAGES } from "../operands.ts";
import { setWord64, TD_WORD, type Td } from "../td.ts";

const SUCCESS = status("SUCCESS");
const INVALID_RDX = status("OPERAND_INVALID", "RDX");
const INVALID_ATTRIBUTES = status("OPERAND_INVALID", "ATTRIBUTES");
const INVALID_XFAM = status("OPERAND_INVALID", "XFAM");
const INVALID_MAX_VCPUS = status("OPERAND_INVALID", "MAX_VCPUS");
const INVALID_NUM_L2_VMS = status("OPERAND_INVALID", "NUM_L2_VMS");
const INVALID_EXEC_CONTROLS = status("OPERAND_INVALID", "EXEC_CONTROLS");
const INVALID_EPTP_CONTROLS = status("OPERAND_INVALID", "EPTP_CONTROLS");
const INVALID_TSC_FREQUENCY = status("OPERAND_INVALID", "TSC_FREQUENCY");
const NO_TDCS = status("TDCS_NOT_ALLOCATED");

/** Bits that may be set: DEBUG, ICSSD, LASS, SEPT_VE_DISABLE, MIGRATABLE, PKS, TPA, PERFMON. */
const ATTRIBUTES_ALLOWED = 0xc000_0000_7801_0001n;
const XFAM_ALLOWED = 0x6dbe7n;
const XFAM_REQUIRED = 0x3n;
export const MAX_VCPUS_PER_TD = 576;
const MAX_L2_VMS = 3;
const WRITE_BACK = 6n;

/**
 * TDH.MNG.INIT: initialises a TD from TD_PARAMS.
 *
 * @param regs RCX: TDR; RDX: host address of TD_PARAMS, aligned to its 1024 bytes
 * @returns SUCCESS, the TD INITIALIZED with an empty secure EPT and TD_EPOCH 1; the refusals about TDR and TD state;
 *   OPERAND_INVALID with the field to blame: RDX (address, reserved bytes), ATTRIBUTES, XFAM, MAX_VCPUS (0 or above
 *   576), NUM_L2_VMS, EXEC_CONTROLS (CONFIG_FLAGS), EPTP_CONTROLS, TSC_FREQUENCY; TDCS_NOT_ALLOCATED if L2 VMs need
 *   more pages. A refusal changes nothing.
 * @source TDX module 1.5.25, TDH.MNG.INIT
 * @missing CPUID and MSR configuration (with it the virtual MAXPA: it is the platform's), event filters, L2 VMs
 */
export const tdhMngInit = (m: TdxModule, regs: Regs): Status => {
  const noTdr = checkTdr(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, OPERAND_ID.RCX, TAKE_EXCLUSIVE);
  if (noTdr !== SUCCESS) return noTdr;
  const badState = checkTdState(m, TDH["TDH.MNG.INIT"], NO_LOCK);
  if (badState !== SUCCESS) return badState;
  const lo = regs[2 * RDX]!;
  const hi = regs[2 * RDX + 1]!;
  if (lo % TD_PARAMS_BYTES !== 0 || hi >>> m.hpaShift >= m.platform.firstPrivateHkid) return INVALID_RDX;
  const bytes = new Uint8Array(TD_PARAMS_BYTES);
  m.host.read((hi & (2 ** m.hpaShift - 1)) * 2 ** 32 + lo, bytes);
  const params = decodeTdParams(bytes);
  const refused = checkParams(m, params, bytes);
  if (refused !== SUCCESS) return refused;
  initialise(m, m.td, params);
  return SUCCESS;
};

const checkParams = (m: TdxModule, params: TdParams, bytes: Uint8Array): Status => {
  if (!areAttributesValid(params.attributes)) return INVALID_ATTRIBUTES;
  if ((params.xfam & ~XFAM_ALLOWED) !== 0n || (params.xfam & XFAM_REQUIRED) !== XFAM_REQUIRED)
    return INVALID_XFAM;
  if (params.maxVcpus === 0 || params.maxVcpus > MAX_VCPUS_PER_TD) return INVALID_MAX_VCPUS;
  if (params.numL2Vms > MAX_L2_VMS) return INVALID_NUM_L2_VMS;
  if (m.td.words[TD_WORD.TDCX_COUNT]! < TDCS_PAGES + params.numL2Vms) return NO_TDCS;
  const isZero = ([at, length]: readonly [number, number]): boolean =>
    bytes.subarray(at, at + length).every((byte) => byte === 0);
  if (!isZero(TD_PARAMS_RESERVED[0])) return INVALID_RDX;
  const flags = params.configFlags;
  const both = BigInt(CONFIG_FLAGS_LO.MAXPA_VIRT | CONFIG_FLAGS_LO.MAXGPA_VIRT);
  if ((flags & ~BigInt(m.behaviour.configFlagsAllowed)) !== 0n || (flags & both) === both)
    return INVALID_EXEC_CONTROLS;
  if (!isEptpValid(params)) return INVALID_EPTP_CONTROLS;
  if (params.tscFrequency < 4 || params.tscFrequency > 400) return INVALID_TSC_FREQUENCY;
  if (!isZero(TD_PARAMS_RESERVED[1]) || params.msrConfig > 1 || !isZero(TD_PARAMS_RESERVED[2]))
    return INVALID_RDX;
  if (params.numL2Vms > 0) throw new NotModelled("a TD with L2 VMs");
  return SUCCESS;
};

const areAttributesValid = (attributes: bigint): boolean => {
  if ((attributes & ~ATTRIBUTES_ALLOWED) !== 0n) return false;
  const has = (bit: bigint): boolean => ((attributes >> bit) & 1n) === 1n;
  const [debug, icssd, migratable, perfmon] = [has(0n), has(16n), has(29n), has(63n)];
  return !(migratable && (debug || perfmon)) && !(perfmon && icssd);
};

const isEptpValid = ({ eptpControls, configFlags }: TdParams): boolean => {
  const { memoryType, levelsLessOne } = EPTP_CONTROLS.decode(eptpControls);
  if ((eptpControls & EPTP_CONTROLS.reserved) !== 0n || memoryType !== WRITE_BACK) return false;
  const wide = (configFlags & 1n) === 1n;
  return levelsLessOne === 4n || (levelsLessOne === 3n && !wide);
};

const initialise = (m: TdxModule, td: Td, params: TdParams): void => {
  const words = td.words;
  setWord64(words, TD_WORD.ATTRIBUTES, params.attributes);
  setWord64(words, TD_WORD.XFAM, params.xfam);
  setWord64(words, TD_WORD.CONFIG_FLAGS, params.configFlags);
  const pendingVe = (words[TD_WORD.ATTRIBUTES]! & ATTRIBUTES_LO.SEPT_VE_DISABLE) !== 0;
  words[TD_WORD.TD_CTLS] = pendingVe ? TD_CTLS_LO.PENDING_VE_DISABLE : 0;
  words[TD_WORD.EPTP_CONTROLS] = Number(params.eptpControls);
  words[TD_WORD.TSC_FREQUENCY] = params.tscFrequency;
  words[TD_WORD.MAX_VCPUS] = params.maxVcpus;
  words[TD_WORD.TD_EPOCH] = 1;
  words[TD_WORD.TOPOLOGY_ENUM_CONFIGURED] = 1;
  words[TD_WORD.VE_REDUCTION_VALID] = 1;
  startMeasurement(words);
  putMeasurement(words, TD_WORD.MRCONFIGID, params.mrConfigId);
  putMeasurement(words, TD_WORD.MROWNER, params.mrOwner);
  putMeasurement(words, TD_WORD.MROWNERCONFIG, params.mrOwnerConfig);
  const levels = Number(EPTP_CONTROLS.decode(params.eptpControls).levelsLessOne) + 1;
  td.sept.reset(levels, words[TD_WORD.TDCX_FRAMES + ROOT_PAGE]!);
  setGpaWidth(td, (params.configFlags & 1n) === 1n ? 52 : 48, m.platform.maxPa);
  words[TD_WORD.OP_STATE] = OP_STATE.INITIALIZED;
};

/** TDCX page that holds the root of the secure EPT. */
const ROOT_PAGE = 3;

const putMeasurement = (words: Uint32Array, at: number, bytes: Uint8Array): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < bytes.length / 4; i++) words[at + i] = view.getUint32(4 * i, true);
};

/**
 * Sets width and private part of the guest-physical address space. Hardware has widths 48 and 52 only; an
 * emulator that puts the shared bit elsewhere calls this after TDH.MNG.INIT.
 */
export const setGpaWidth = (td: Td, gpaw: number, maxPa: number): void => {
  td.words[TD_WORD.GPAW] = gpaw;
  td.words[TD_WORD.VIRT_MAXPA] = maxPa;
  td.words[TD_WORD.PRIVATE_HI_BITS] = Math.min(gpaw - 1, maxPa) - 32;
};
