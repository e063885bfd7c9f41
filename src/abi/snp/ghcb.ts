import { word } from "../word.ts";

/** MSR through which guest and hypervisor speak before there is a GHCB page, and where its address lies afterwards. */
export const GHCB_MSR = 0xc001_0130;

/** Codes in bits 11:0 of the MSR. @source GHCB specification, MSR protocol; Linux arch/x86/include/asm/sev-common.h */
export const GHCB_MSR_CODE = {
  PSC_REQUEST: 0x014,
  PSC_RESPONSE: 0x015,
  TERMINATE: 0x100,
} as const;

/** A page state change by the MSR protocol: one 4 KiB page. */
export const PSC_MSR_REQUEST = word({ code: [11, 0], gfn: [51, 12], operation: [55, 52] });
/** Its answer: 0 is success. */
export const PSC_MSR_RESPONSE = word({ code: [11, 0], error: [63, 32] });
/** The guest asks to be ended. */
export const TERMINATE_REQUEST = word({ code: [11, 0], reasonSet: [15, 12], reason: [23, 16] });

/** Why a Linux guest asks to be ended: reason set and code. @source Linux arch/x86/include/asm/sev-common.h */
export const TERMINATE_REASONS = {
  GENERAL_REQUEST: { set: 0, code: 0 },
  LINUX_PSC: { set: 1, code: 1 },
  LINUX_PVALIDATE: { set: 1, code: 2 },
} as const;

/** In words; a reason that has none keeps its numbers. */
export const terminateReasonText = (set: number, code: number): string => {
  const found = Object.entries(TERMINATE_REASONS).find(([, at]) => at.set === set && at.code === code);
  return `${found === undefined ? "reason" : found[0].toLowerCase().replaceAll("_", " ")} (set ${set}, code ${code})`;
};

/** Operations of a page state change. */
export const PSC_OPERATION = { PRIVATE: 1, SHARED: 2, PSMASH: 3, UNSMASH: 4 } as const;

/**
 * The request buffer of a page state change in the GHCB's shared part: current entry and last entry, 16 bits each, 32 reserved
 * bits, then the entries.
 */
export const PSC_BUFFER = { CURRENT: 0, END: 2, RESERVED: 4, ENTRIES: 8 } as const;
/** Entries that a buffer has room for, and those that Linux uses. */
export const PSC_MOST_ENTRIES = 253;
export const PSC_LINUX_ENTRIES = 64;
export const PSC_ENTRY_BYTES = 8;

/** One entry. */
export const PSC_ENTRY = word({
  currentPage: [11, 0], // progress inside a 2 MiB entry
  gfn: [51, 12],
  operation: [55, 52],
  pageSize: [56, 56], // 1: 2 MiB
});

/** SW_EXITINFO2 of a request that failed, two halves: high, low. @source Linux arch/x86/kvm/svm/sev.c */
export const PSC_ERROR = {
  NONE: [0, 0],
  INVALID_HEADER: [1, 1],
  INVALID_ENTRY: [1, 2],
  GENERIC: [0x100, 0],
} as const;

/** Offsets in the GHCB page. @source GHCB specification, GHCB layout */
export const GHCB_PAGE = {
  EXIT_CODE: 0x390,
  EXIT_INFO_1: 0x398,
  EXIT_INFO_2: 0x3a0,
  SCRATCH: 0x3a8,
  SHARED_BUFFER: 0x800,
  BYTES: 4096,
} as const;

/** Why a vCPU left an SNP guest, or the #VC exception's exit code. @source AMD64 manual, volume 2; Linux uapi/asm/svm.h */
export const SVM_EXIT = {
  NPF: 0x400,
  VMGEXIT: 0x403,
  PAGE_NOT_VALIDATED: 0x404,
} as const;
/** SW_EXITCODE of a page state change. */
export const VMGEXIT_PSC = 0x8000_0010;

/** Error code of a nested page fault: bits of the low and of the high half. @source AMD64 manual; Linux asm/kvm_host.h */
export const NPF_LO = { PRESENT: 1, WRITE: 2, USER: 4, RMP: 0x8000_0000 } as const;
export const NPF_HI = { FINAL: 1, ENCRYPTED: 4, SIZE_MISMATCH: 8, VMPL: 16 } as const;
