import { TDH, type TdhLeaf, tdhName } from "../abi/tdx/leaves.ts";
import { newRegs, RAX, REGISTER_NAMES, type RegisterName, setNumber } from "../abi/tdx/regs.ts";
import { SUCCESS, statusText } from "../abi/tdx/status.ts";
import { EPTP_CONTROLS, encodeTdParams, TD_PARAMS_BYTES } from "../abi/tdx/td-params.ts";
import { assert } from "../assert.ts";
import { GIB } from "../units.ts";
import type { TdxModule } from "./module.ts";
import { TDCS_PAGES, TDVPS_PAGES } from "./operands.ts";
import { seamcall } from "./seamcall.ts";
import { TD_WORD, type Td, VCPU_WORD } from "./td.ts";
import { setGpaWidth } from "./tdh/mng-init.ts";

/** How a TD is to be. */
export interface TdOptions {
  /** Gives a free host frame for each control page. */
  readonly takeFrame: () => number;
  /** Number of vCPUs; 1 if left out. */
  readonly vcpus?: number;
  /** ATTRIBUTES; SEPT_VE_DISABLE if left out. */
  readonly attributes?: bigint;
  /** CONFIG_FLAGS without bit 0; FLEXIBLE_PENDING_VE and NO_RBP_MOD if left out. */
  readonly configFlags?: bigint;
  /** Width of a guest-physical address: 48 (if left out) or 52, or for emulators any from 36 to 53. */
  readonly gpaw?: number;
  /** Levels of the secure EPT; by default 4, or 5 where the private space needs them. */
  readonly levels?: 4 | 5;
  /** Private key id; the first free one if left out. */
  readonly hkid?: number;
  readonly maxVcpus?: number;
  /** Gives each vCPU its number as x2APIC id (version 1 of TDH.VP.INIT), so that the guest may enumerate topology. */
  readonly topology?: boolean;
  /** Where TD_PARAMS lies in host memory for the call. */
  readonly paramsHpa?: number;
  /** Host calls to make before the TD is finalised, such as adding the initial image. */
  readonly build?: (td: Td) => void;
  /** Whether the TD is finalised, and so RUNNABLE; true if left out. */
  readonly finalize?: boolean;
  /** Whether the vCPUs of a RUNNABLE TD enter the guest at the end; true if left out. */
  readonly enter?: boolean;
}

const DEFAULT_ATTRIBUTES = 1n << 28n;
const DEFAULT_CONFIG_FLAGS = 0x6n;

type Operands = { readonly [register in RegisterName]?: number };

/** Makes one SEAMCALL that cannot fail unless its caller is wrong. */
const call = (m: TdxModule, leaf: TdhLeaf, operands: Operands, version = 0): void => {
  const regs = newRegs();
  setNumber(regs, RAX, TDH[leaf] + version * 0x1_0000);
  for (const [name, value] of Object.entries(operands)) {
    setNumber(regs, REGISTER_NAMES.indexOf(name as RegisterName), value);
  }
  const result = seamcall(m, regs);
  assert(result === SUCCESS, () => `${tdhName(TDH[leaf])} answers SUCCESS, not ${statusText(result)}`);
};

/**
 * Builds a TD through the SEAMCALLs that a host makes.
 *
 * @returns the TD, RUNNABLE and its vCPUs entered unless the options say otherwise
 */
export const createTd = (m: TdxModule, options: TdOptions): Td => {
  const page = (): number => options.takeFrame() * 4096;
  const tdr = page();
  call(m, "TDH.MNG.CREATE", { RCX: tdr, RDX: options.hkid ?? m.keys.firstFree() });
  call(m, "TDH.MNG.KEY.CONFIG", { RCX: tdr });
  for (let i = 0; i < TDCS_PAGES; i++) call(m, "TDH.MNG.ADDCX", { RCX: page(), RDX: tdr });
  const td = m.td;
  initialise(m, td, tdr, options);
  const vcpus = options.vcpus ?? 1;
  for (let vcpu = 0; vcpu < vcpus; vcpu++) createVcpu(m, tdr, vcpu, page, options.topology === true);
  options.build?.(td);
  if (options.finalize === false) return td;
  call(m, "TDH.MR.FINALIZE", { RCX: tdr });
  if (options.enter !== false) for (let vcpu = 0; vcpu < vcpus; vcpu++) enterVcpu(m, td, vcpu);
  return td;
};

const initialise = (m: TdxModule, td: Td, tdr: number, options: TdOptions): void => {
  const gpaw = options.gpaw ?? 48;
  assert(36 <= gpaw && gpaw <= 53, () => `a guest-physical address has 36 to 53 bits, not ${gpaw}`);
  const levels = options.levels ?? (gpaw > 49 ? 5 : 4);
  const zeros = new Uint8Array(48);
  const params = encodeTdParams({
    attributes: options.attributes ?? DEFAULT_ATTRIBUTES,
    xfam: 3n,
    maxVcpus: options.maxVcpus ?? Math.max(1, options.vcpus ?? 1),
    numL2Vms: 0,
    msrConfig: 0,
    eptpControls: EPTP_CONTROLS.encode({ memoryType: 6n, levelsLessOne: BigInt(levels - 1) }),
    configFlags: (options.configFlags ?? DEFAULT_CONFIG_FLAGS) | (gpaw > 49 ? 1n : 0n),
    tscFrequency: 40,
    mrConfigId: zeros,
    mrOwner: zeros,
    mrOwnerConfig: zeros,
    archCapabilities: 0n,
    cpuid: [],
  });
  const at = options.paramsHpa ?? GIB - TD_PARAMS_BYTES;
  m.host.write(at, params);
  call(m, "TDH.MNG.INIT", { RCX: tdr, RDX: at });
  if (gpaw !== 48 && gpaw !== 52) setGpaWidth(td, gpaw, m.platform.maxPa);
};

const createVcpu = (m: TdxModule, tdr: number, vcpu: number, page: () => number, topology: boolean): void => {
  const tdvpr = page();
  call(m, "TDH.VP.CREATE", { RCX: tdvpr, RDX: tdr });
  for (let i = 1; i < TDVPS_PAGES; i++) call(m, "TDH.VP.ADDCX", { RCX: page(), RDX: tdvpr });
  call(m, "TDH.VP.INIT", topology ? { RCX: tdvpr, R8: vcpu } : { RCX: tdvpr }, topology ? 1 : 0);
};

/** TDH.VP.ENTER of a READY vCPU of a RUNNABLE TD. */
export const enterVcpu = (m: TdxModule, td: Td, vcpu: number): void => {
  call(m, "TDH.VP.ENTER", { RCX: td.vcpu(vcpu, VCPU_WORD.TDVPR_FRAME) * 4096 });
};

/** Byte address of a TD's TDR, the handle that SEAMCALLs take. */
export const tdrOf = (td: Td): number => td.words[TD_WORD.TDR_FRAME]! * 4096;

/** Hands out host frames from `first` on, one after another. */
export const framesFrom = (first: number): (() => number) => {
  let next = first;
  return () => next++;
};

/**
 * Adds the tables that an entry at `level` for `gpa` needs and that are missing, from the top down.
 *
 * @param takeFrame gives a free host frame for each table
 */
export const addTables = (
  m: TdxModule,
  td: Td,
  gpa: number,
  level: number,
  takeFrame: () => number,
): void => {
  for (let above = td.sept.levels - 1; above > level; above--) {
    const size = 4096 * 512 ** above;
    const start = Math.floor(gpa / size) * size;
    td.sept.walk(start >>> 0, Math.floor(start / 2 ** 32), above);
    if (td.sept.level === above && td.sept.stateHere === 0) {
      call(m, "TDH.MEM.SEPT.ADD", { RCX: start + above, RDX: tdrOf(td), R8: takeFrame() * 4096 });
    }
  }
};
