import { REGS_LENGTH } from "../abi/tdx/regs.ts";

/** Words of a TD's control state (TDR and TDCS). 64-bit words are two, low half first. */
export const TD_WORD = {
  ALIVE: 0,
  TDR_FRAME: 1,
  HKID: 2,
  LIFECYCLE: 3,
  OP_STATE: 4,
  FATAL: 5,
  TDCX_COUNT: 6,
  /** 4 KiB pages that the TD owns, the TDR not counted. */
  CHILD_COUNT: 7,
  ATTRIBUTES: 8,
  XFAM: 10,
  CONFIG_FLAGS: 12,
  TD_CTLS: 14,
  NOTIFY_ENABLES: 16,
  FEATURE_PARAVIRT_CTLS: 18,
  /** Width of a guest-physical address, shared bit included. */
  GPAW: 20,
  /** Bits of a private guest-physical address above the low 32. */
  PRIVATE_HI_BITS: 21,
  VIRT_MAXPA: 22,
  EPTP_CONTROLS: 23,
  TSC_FREQUENCY: 24,
  NUM_L2_VMS: 25,
  MAX_VCPUS: 26,
  VCPUS_CREATED: 27,
  VCPUS_INITIALIZED: 28,
  VCPUS_ASSOCIATED: 29,
  TD_EPOCH: 30,
  /** REFCOUNT by the parity of the epoch. */
  REFCOUNT: 31,
  TOPOLOGY_ENUM_CONFIGURED: 33,
  VE_REDUCTION_VALID: 43,
  /** Host frames of the nine TDCX pages; page 3 holds the root of the secure EPT. */
  TDCX_FRAMES: 34,
  UUID: 44,
  MRCONFIGID: 52,
  MROWNER: 64,
  MROWNERCONFIG: 76,
  MRTD: 88,
  /** Four registers. */
  RTMR: 100,
  /** The running hash of the initial image. */
  BUILD_HASH: 148,
} as const;
export const TD_WORDS = 165;

/** A 64-bit word of the control state, for metadata accesses. */
export const getWord64 = (words: Uint32Array, at: number): bigint =>
  (BigInt(words[at + 1]!) << 32n) | BigInt(words[at]!);
export const setWord64 = (words: Uint32Array, at: number, value: bigint): void => {
  words[at] = Number(value & 0xffff_ffffn);
  words[at + 1] = Number(value >> 32n);
};

/** Words of one vCPU (TDVPS). */
export const VCPU_WORD = {
  STATE: 0,
  TDVPR_FRAME: 1,
  PAGES: 2,
  INDEX: 3,
  /** Bit 0: CPUID raises #VE in the kernel; bit 1: in user space. */
  CPUIDVE: 4,
  /** TD_EPOCH at the last entry. */
  EPOCH: 5,
  /** 0: no interrupt is coming; n: the n-th poll from now sees one pending. */
  INTERRUPT_IN: 6,
  VE_VALID: 7,
  VE_REASON: 8,
  VE_CATEGORY: 9,
  VE_QUALIFICATION: 10,
  VE_LINEAR: 12,
  VE_GPA: 14,
  VE_LENGTH: 16,
  VE_INFORMATION: 17,
  VE_INTERRUPTIBILITY: 18,
  X2APIC_ID: 19,
  INITIAL_RCX: 20,
  /** 1 from TDH.VP.INIT on until TDH.VP.FLUSH. */
  ASSOCIATED: 22,
  LAST_EXIT: 23,
  /** What the host's registers hold at the last TD exit: 16 registers, two halves each. */
  EXIT_REGS: 24,
} as const;
export const VCPU_WORDS = VCPU_WORD.EXIT_REGS + REGS_LENGTH;

/** State of a vCPU. */
export const VCPU_STATE = { UNINITIALIZED: 0, READY: 2, ACTIVE: 4 } as const;
/** How a vCPU left its guest last. */
export const LAST_EXIT = { ASYNC: 0, VMCALL: 1 } as const;
