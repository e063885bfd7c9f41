import { word } from "../word.ts";

/**
 * VMX exit reasons that this project meets at a TD exit or in a #VE record.
 *
 * @source Intel SDM, VMX basic exit reasons
 */
export const EXIT_REASON = {
  EXTERNAL_INTERRUPT: 1,
  TRIPLE_FAULT: 2,
  CPUID: 10,
  HLT: 12,
  IO_INSTRUCTION: 30,
  RDMSR: 31,
  WRMSR: 32,
  EPT_VIOLATION: 48,
  EPT_MISCONFIGURATION: 49,
  WBINVD: 54,
  PCONFIG: 65,
  TDCALL: 77,
} as const;

/**
 * Exit qualification of an EPT violation. At a TD exit the module clears bits 12:7; in a #VE record it does not.
 *
 * @source Intel SDM, exit qualification for EPT violations; TDX module 1.5.25
 */
export const EPT_VIOLATION = word({
  read: [0, 0],
  write: [1, 1],
  fetch: [2, 2],
  entryRead: [3, 3], // permissions of the entry that stopped the walk
  entryWrite: [4, 4],
  entryExec: [5, 5],
  entryExecUser: [6, 6],
  linearValid: [7, 7],
  linearAccess: [8, 8], // 0: a walk of the guest's page tables
  userLinear: [9, 9],
  writableLinear: [10, 10],
  noExecLinear: [11, 11],
  nmiUnblocking: [12, 12],
});

/**
 * Extended exit qualification: RDX at a TD exit.
 *
 * @source TDX module ABI, extended exit qualification
 */
export const EEQ = word({ type: [3, 0], info: [63, 32] });
export const EEQ_TYPE = {
  NONE: 0,
  ACCEPT: 1,
  GPA_DETAILS: 2,
  TD_ENTRY_MSR_LOAD_FAILURE: 3,
  TD_ENTRY_XSTATE_LOAD_FAILURE: 4,
  ATTR_WR: 5,
  PENDING_EPT_VIOLATION: 6,
} as const;

/**
 * EEQ information of type ACCEPT and ATTR_WR, here as bits of the whole EEQ word.
 *
 * @source TDX module ABI, extended exit qualification
 */
export const EEQ_ACCEPT = word({
  type: [3, 0],
  requestedLevel: [34, 32],
  errorLevel: [37, 35], // where the walk ended
  errorState: [45, 38], // the number that SEAMCALLs report for the state
  errorIsLeaf: [46, 46],
  vm: [53, 52],
});

/** The high half of the EEQ word of type ACCEPT or ATTR_WR. All arguments fit their fields by construction. */
export const eeqAcceptHi = (requested: number, errorLevel: number, state: number, isLeaf: number): number =>
  requested | (errorLevel << 3) | (state << 6) | (isLeaf << 14);

/**
 * Category of a #VE record, reported from version 1 of TDG.VP.VEINFO.GET on.
 *
 * @source TDX module 1.5.25
 */
export const VE_CATEGORY = {
  ARCHITECTURAL: 0x00,
  PENDING: 0x01,
  RESERVED_GPA_BITS: 0x02,
  CONFIG_PARAVIRT: 0x10,
  NON_CONFIG_PARAVIRT: 0x11,
  UNSUPPORTED_FEATURE: 0x80,
} as const;
