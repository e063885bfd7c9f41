import { SEPT_MAPPED, SEPT_PENDING } from "../abi/tdx/sept-entry.ts";
import { EEQ_TYPE, EXIT_REASON, VE_CATEGORY } from "../abi/tdx/td-exit.ts";
import { hiHalf, loHalf } from "../abi/word-reader.ts";
import { TD_WORD, type Td, VCPU_WORD } from "./td.ts";
import { entryPermissions, exitEptViolation } from "./td-exit.ts";

/** What a guest CPU does with the memory. */
export const READ = 0;
export const WRITE = 1;
export const FETCH = 2;
export type AccessKind = typeof READ | typeof WRITE | typeof FETCH;

/** The access reached private memory. */
export const ACCESS_OK = 0;
/** A #VE is injected; its record is in the vCPU. */
export const ACCESS_VE = 1;
/** A #DF is injected: a #VE was due while the record of the last one was not taken yet. */
export const ACCESS_DOUBLE_FAULT = 2;
/** The vCPU left the guest; its exit registers say why. */
export const ACCESS_TD_EXIT = 3;
/** A #PF with a reserved-bit error code is injected. */
export const ACCESS_PF_RSVD = 4;
/** The GPA is shared: the shared EPT, which is the host's, decides. */
export const ACCESS_SHARED = 5;
export type AccessOutcome = 0 | 1 | 2 | 3 | 4 | 5;

const LINEAR_VALID = 1 << 7;
const LINEAR_ACCESS = 1 << 8;

/**
 * What a guest access to a guest-physical address does, by the state of the page. TLBs hold nothing: a
 * blocked page is out of reach at once.
 *
 * @param gpa address as the guest's page tables give it, shared bit included; below 2^53
 * @param linearLo low half of the linear address, for the #VE record
 * @source TDX module 1.5.25, EPT-violation exit
 * @missing translations that live on in a TLB until the vCPU leaves; accesses without a linear address; L2 VMs;
 *   the zero-step guard; that a fetch from shared memory faults
 */
export const access = (
  td: Td,
  vcpu: number,
  gpa: number,
  kind: AccessKind,
  linearLo = 0,
  linearHi = 0,
): AccessOutcome => {
  const lo = loHalf(gpa);
  const hi = hiHalf(gpa);
  const isPrivate = hi >>> td.words[TD_WORD.PRIVATE_HI_BITS]! === 0;
  if (isPrivate) {
    td.sept.walk(lo, hi, 0);
    if (td.sept.stateHere === SEPT_MAPPED) return ACCESS_OK;
    return missPrivate(td, vcpu, lo, hi, kind, linearLo, linearHi);
  }
  if (!hasReservedBits(td, gpa)) return ACCESS_SHARED;
  if (!td.hasConfigFlag("MAXGPA_VIRT")) return ACCESS_PF_RSVD;
  const qualification = (1 << kind) | LINEAR_VALID | LINEAR_ACCESS;
  return injectVe(td, vcpu, VE_CATEGORY.RESERVED_GPA_BITS, qualification, lo, hi, linearLo, linearHi);
};

/** Bits at or above the smaller of MAXPA and the GPA width, other than the shared bit. */
const hasReservedBits = (td: Td, gpa: number): boolean => {
  const low = 2 ** Math.min(td.words[TD_WORD.VIRT_MAXPA]!, td.gpaw);
  const shared = td.sharedBit;
  const withoutShared = Math.floor(gpa / shared) % 2 === 1 ? gpa - shared : gpa;
  return withoutShared >= low;
};

const missPrivate = (
  td: Td,
  vcpu: number,
  lo: number,
  hi: number,
  kind: AccessKind,
  linearLo: number,
  linearHi: number,
): AccessOutcome => {
  const state = td.sept.stateHere;
  const qualification = (1 << kind) | entryPermissions(state);
  if (state === SEPT_PENDING && !td.pendingVeDisabled) {
    const full = qualification | LINEAR_VALID | LINEAR_ACCESS;
    return injectVe(td, vcpu, VE_CATEGORY.PENDING, full, lo, hi, linearLo, linearHi);
  }
  const type = state === SEPT_PENDING ? EEQ_TYPE.PENDING_EPT_VIOLATION : EEQ_TYPE.NONE;
  exitEptViolation(td, vcpu, qualification, type, 0, lo, hi);
  return ACCESS_TD_EXIT;
};

/** Fills the #VE record, or answers a double fault if the last one was not taken. */
const injectVe = (
  td: Td,
  vcpu: number,
  category: number,
  qualification: number,
  gpaLo: number,
  gpaHi: number,
  linearLo: number,
  linearHi: number,
): AccessOutcome => {
  const words = td.vcpus;
  const at = td.vcpuAt(vcpu, 0);
  if (words[at + VCPU_WORD.VE_VALID] !== 0) return ACCESS_DOUBLE_FAULT;
  words[at + VCPU_WORD.VE_VALID] = 1;
  words[at + VCPU_WORD.VE_REASON] = EXIT_REASON.EPT_VIOLATION;
  words[at + VCPU_WORD.VE_CATEGORY] = category;
  words[at + VCPU_WORD.VE_QUALIFICATION] = qualification;
  words[at + VCPU_WORD.VE_QUALIFICATION + 1] = 0;
  words[at + VCPU_WORD.VE_LINEAR] = linearLo;
  words[at + VCPU_WORD.VE_LINEAR + 1] = linearHi;
  words[at + VCPU_WORD.VE_GPA] = gpaLo;
  words[at + VCPU_WORD.VE_GPA + 1] = gpaHi;
  words[at + VCPU_WORD.VE_LENGTH] = 0;
  words[at + VCPU_WORD.VE_INFORMATION] = 0;
  words[at + VCPU_WORD.VE_INTERRUPTIBILITY] = 0;
  return ACCESS_VE;
};

/**
 * Bytes from a private GPA on that a guest can reach without any exit, at most `length`. Changes nothing.
 */
export const reachableBytes = (td: Td, gpa: number, length: number): number => {
  const end = Math.min(gpa + length, td.privateBytes);
  let at = gpa;
  while (at < end) {
    td.sept.walk(loHalf(at), hiHalf(at), 0);
    if (td.sept.stateHere !== SEPT_MAPPED) break;
    const size = 4096 * 512 ** td.sept.level;
    at = Math.floor(at / size) * size + size;
  }
  return Math.max(0, Math.min(at, end) - gpa);
};
