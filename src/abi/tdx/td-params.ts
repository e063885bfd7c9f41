import { assert } from "../../assert.ts";
import { word } from "../word.ts";

/** Bytes of TD_PARAMS, which is also its alignment. */
export const TD_PARAMS_BYTES = 1024;

/**
 * EPTP_CONTROLS: memory type 6 (write-back), and the number of levels less one.
 *
 * @source TDX module ABI, TD_PARAMS
 */
export const EPTP_CONTROLS = word({ memoryType: [2, 0], levelsLessOne: [5, 3] });

/** CPUID values of one configurable leaf. */
export type CpuidConfig = readonly [eax: number, ebx: number, ecx: number, edx: number];

/**
 * TD_PARAMS: what the host chooses when it initialises a TD.
 *
 * @source TDX module 1.5.25, TD_PARAMS
 */
export interface TdParams {
  readonly attributes: bigint;
  readonly xfam: bigint;
  readonly maxVcpus: number;
  readonly numL2Vms: number;
  readonly msrConfig: number;
  readonly eptpControls: bigint;
  readonly configFlags: bigint;
  /** In units of 25 MHz, 4 to 400. */
  readonly tscFrequency: number;
  /** 48 bytes each. */
  readonly mrConfigId: Uint8Array;
  readonly mrOwner: Uint8Array;
  readonly mrOwnerConfig: Uint8Array;
  readonly archCapabilities: bigint;
  /** Up to 48 leaves, in the order in which the module lists them. */
  readonly cpuid: readonly CpuidConfig[];
}

/** Runs of bytes that must be zero: offset and length. */
export const TD_PARAMS_RESERVED = [
  [20, 4],
  [42, 38],
  [232, 24],
] as const;

const AT = {
  ATTRIBUTES: 0,
  XFAM: 8,
  MAX_VCPUS: 16,
  NUM_L2_VMS: 18,
  MSR_CONFIG: 19,
  EPTP_CONTROLS: 24,
  CONFIG_FLAGS: 32,
  TSC_FREQUENCY: 40,
  MRCONFIGID: 80,
  MROWNER: 128,
  MROWNERCONFIG: 176,
  ARCH_CAPABILITIES: 224,
  CPUID: 256,
} as const;
const MEASUREMENT_BYTES = 48;
const CPUID_LEAVES = (TD_PARAMS_BYTES - AT.CPUID) / 16;

/** The structure as bytes. Asserts that each value fits its field: it is ours. */
export const encodeTdParams = (params: TdParams): Uint8Array => {
  const bytes = new Uint8Array(TD_PARAMS_BYTES);
  const view = new DataView(bytes.buffer);
  assert(params.maxVcpus < 2 ** 16 && params.numL2Vms < 2 ** 8, "numbers of vCPUs and VMs fit their fields");
  view.setBigUint64(AT.ATTRIBUTES, params.attributes, true);
  view.setBigUint64(AT.XFAM, params.xfam, true);
  view.setUint16(AT.MAX_VCPUS, params.maxVcpus, true);
  view.setUint8(AT.NUM_L2_VMS, params.numL2Vms);
  view.setUint8(AT.MSR_CONFIG, params.msrConfig);
  view.setBigUint64(AT.EPTP_CONTROLS, params.eptpControls, true);
  view.setBigUint64(AT.CONFIG_FLAGS, params.configFlags, true);
  view.setUint16(AT.TSC_FREQUENCY, params.tscFrequency, true);
  putMeasurement(bytes, AT.MRCONFIGID, params.mrConfigId);
  putMeasurement(bytes, AT.MROWNER, params.mrOwner);
  putMeasurement(bytes, AT.MROWNERCONFIG, params.mrOwnerConfig);
  view.setBigUint64(AT.ARCH_CAPABILITIES, params.archCapabilities, true);
  assert(params.cpuid.length <= CPUID_LEAVES, () => `at most ${CPUID_LEAVES} CPUID leaves fit`);
  params.cpuid.forEach((registers, leaf) => {
    registers.forEach((value, r) => {
      view.setUint32(AT.CPUID + 16 * leaf + 4 * r, value, true);
    });
  });
  return bytes;
};

const putMeasurement = (bytes: Uint8Array, at: number, value: Uint8Array): void => {
  assert(value.length === MEASUREMENT_BYTES, "a measurement register is 48 bytes");
  bytes.set(value, at);
};

/** Reads the structure. Total: any 1024 bytes decode, whatever they hold; trailing zero CPUID leaves are dropped. */
export const decodeTdParams = (bytes: Uint8Array): TdParams => {
  assert(bytes.length === TD_PARAMS_BYTES, () => `TD_PARAMS is ${TD_PARAMS_BYTES} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const cpuid = Array.from({ length: CPUID_LEAVES }, (_, leaf): CpuidConfig => {
    const at = AT.CPUID + 16 * leaf;
    const get = (offset: number): number => view.getUint32(at + offset, true);
    return [get(0), get(4), get(8), get(12)];
  });
  while (cpuid.length > 0 && cpuid[cpuid.length - 1]!.every((value) => value === 0)) cpuid.pop();
  const measurement = (at: number): Uint8Array => bytes.slice(at, at + MEASUREMENT_BYTES);
  return {
    attributes: view.getBigUint64(AT.ATTRIBUTES, true),
    xfam: view.getBigUint64(AT.XFAM, true),
    maxVcpus: view.getUint16(AT.MAX_VCPUS, true),
    numL2Vms: view.getUint8(AT.NUM_L2_VMS),
    msrConfig: view.getUint8(AT.MSR_CONFIG),
    eptpControls: view.getBigUint64(AT.EPTP_CONTROLS, true),
    configFlags: view.getBigUint64(AT.CONFIG_FLAGS, true),
    tscFrequency: view.getUint16(AT.TSC_FREQUENCY, true),
    mrConfigId: measurement(AT.MRCONFIGID),
    mrOwner: measurement(AT.MROWNER),
    mrOwnerConfig: measurement(AT.MROWNERCONFIG),
    archCapabilities: view.getBigUint64(AT.ARCH_CAPABILITIES, true),
    cpuid,
  };
};
