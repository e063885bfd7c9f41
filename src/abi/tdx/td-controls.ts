import { word } from "../word.ts";

/**
 * TD ATTRIBUTES.
 *
 * @source TDX module ABI, ATTRIBUTES
 */
export const ATTRIBUTES = word({
  debug: [0, 0],
  hgsPlusProf: [4, 4],
  perfProf: [5, 5],
  pmtProf: [6, 6],
  icssd: [16, 16],
  lass: [27, 27],
  septVeDisable: [28, 28],
  migratable: [29, 29],
  pks: [30, 30],
  keyLocker: [31, 31],
  tpa: [62, 62],
  perfmon: [63, 63],
});

/**
 * CONFIG_FLAGS: chosen by the host in TD_PARAMS, readable by the guest.
 *
 * No 1.5 module up to 1.5.25 allows bits 5 and above.
 *
 * @source TDX module ABI, CONFIG_FLAGS; bit 7 from the OpenVMM tdcall crate
 */
export const CONFIG_FLAGS = word({
  gpaw: [0, 0], // 0: 48 bits, 1: 52 bits
  flexiblePendingVe: [1, 1],
  noRbpMod: [2, 2],
  maxpaVirt: [3, 3],
  maxgpaVirt: [4, 4],
  tdxConnect: [5, 5],
  pageRelease: [6, 6],
  sealing: [7, 7],
});

/**
 * TD_CTLS: written by the guest, TDG.VM.WR.
 *
 * @source TDX module ABI, TD_CTLS
 */
export const TD_CTLS = word({
  pendingVeDisable: [0, 0],
  enumTopology: [1, 1],
  virtCpuid2: [2, 2],
  reduceVe: [3, 3],
  forceHwKeys: [4, 4], // named in newer documents; no 1.5 module knows it
  lock: [63, 63],
});

/** Low-half bits of the words above, for the code that holds them as halves. */
export const ATTRIBUTES_LO = { DEBUG: 1 << 0, SEPT_VE_DISABLE: 1 << 28, MIGRATABLE: 1 << 29 } as const;
export const CONFIG_FLAGS_LO = {
  GPAW: 1 << 0,
  FLEXIBLE_PENDING_VE: 1 << 1,
  NO_RBP_MOD: 1 << 2,
  MAXPA_VIRT: 1 << 3,
  MAXGPA_VIRT: 1 << 4,
  TDX_CONNECT: 1 << 5,
  PAGE_RELEASE: 1 << 6,
} as const;
export const TD_CTLS_LO = {
  PENDING_VE_DISABLE: 1 << 0,
  ENUM_TOPOLOGY: 1 << 1,
  VIRT_CPUID2: 1 << 2,
  REDUCE_VE: 1 << 3,
} as const;
/** High-half bit of TD_CTLS.LOCK. */
export const TD_CTLS_LOCK_HI = 2 ** 31;

/**
 * TDX_FEATURES0: what a module can do. Bit 39 is NRX in 1.5.25 and EXT in the host's extension patches
 * (inference: the same feature).
 *
 * @source TDX module 1.5.25; Linux TDX Module Extensions v2, 2026-06; KVM huge-page series for bit 51
 */
export const TDX_FEATURES0_BITS = {
  TD_MIGRATION: 0,
  TD_PRESERVING: 1,
  SERVICE_TD: 2,
  TDG_VP_RDWR: 3,
  RELAXED_MEM_MNG_CONCURRENCY: 4,
  CPUID_VIRT_GUEST_CTRL: 5,
  TDX_CONNECT: 6,
  TD_PARTITIONING: 7,
  LOCAL_ATTESTATION: 8,
  TD_ENTRY_ENHANCEMENTS: 9,
  HOST_PRIORITY_LOCKS: 10,
  CONFIG_IA32_ARCH_CAP: 11,
  SEALING: 12,
  PENDING_EPT_VIOLATION_V2: 16,
  FMS_CONFIG: 17,
  NO_RBP_MOD: 18,
  L2_TLB_INVD_OPT: 19,
  TOPOLOGY_ENUM: 20,
  PARTITIONED_TD_MIGRATION: 21,
  TD_SIGNING_AND_SVN: 22,
  CLFLUSH_BEFORE_ALLOC: 23,
  EVENT_FILTERING: 24,
  ICSSD: 25,
  FIXED_CTR12_PROF: 26,
  MAXPA_VIRT: 27,
  APX: 28,
  CPUID2_VIRT: 29,
  VE_REDUCTION: 30,
  ENHANCED_EVENT_FILTERING: 31,
  TDX_CONNECT_PARTITIONING: 32,
  MAXGPA_VIRT: 33,
  DYNAMIC_PAMT: 36,
  FATAL_DIAGNOSTICS: 37,
  PAGE_RELEASE: 38,
  EXT: 39,
  ENHANCED_INTR_STATE: 40,
  NON_BLOCKING_EXPORT: 41,
  IMPORT_PAGE_STATUS: 44,
  VE_INFO_INTR_STATE: 46,
  UPDATE_COMPATIBILITY: 47,
  QUOTE: 50,
  ENHANCED_DEMOTE_INTERRUPTIBILITY: 51,
} as const;
export type TdxFeature = keyof typeof TDX_FEATURES0_BITS;

/** The features word with the given features set. */
export const tdxFeatures0 = (features: Iterable<TdxFeature>): bigint => {
  let bits = 0n;
  for (const feature of features) bits |= 1n << BigInt(TDX_FEATURES0_BITS[feature]);
  return bits;
};
