import { R8, RAX, RCX, RDX } from "../abi/tdx/regs.ts";
import { SEPT_IS_LEAF, SEPT_MAPPED, SEPT_NL_MAPPED, SEPT_REPORTED } from "../abi/tdx/sept-entry.ts";
import { EXIT_REASON, eeqAcceptHi } from "../abi/tdx/td-exit.ts";
import { assert } from "../assert.ts";
import { type Outcome, TD_EXIT } from "./outcome.ts";
import { LAST_EXIT, TD_WORD, type Td, VCPU_STATE, VCPU_WORD } from "./td.ts";

/** The vCPU leaves its guest: it no longer counts for the epoch that it entered in. */
export const leaveGuest = (td: Td, vcpu: number, how: number): void => {
  assert(td.vcpu(vcpu, VCPU_WORD.STATE) === VCPU_STATE.ACTIVE, () => `vCPU ${vcpu} runs its guest`);
  td.setVcpu(vcpu, VCPU_WORD.STATE, VCPU_STATE.READY);
  td.setVcpu(vcpu, VCPU_WORD.LAST_EXIT, how);
  td.words[TD_WORD.REFCOUNT + (td.vcpu(vcpu, VCPU_WORD.EPOCH) & 1)]!--;
};

/**
 * TD exit on an EPT violation: what the host finds in its registers after TDH.VP.ENTER.
 * R9 (interruption information) and the registers not named are zero.
 *
 * @param gpaLo low half of the GPA; bits 11:0 are cleared
 * @source TDX module 1.5.25, TD exit on an EPT violation
 */
export const exitEptViolation = (
  td: Td,
  vcpu: number,
  qualification: number,
  eeqLo: number,
  eeqHi: number,
  gpaLo: number,
  gpaHi: number,
): Outcome => {
  leaveGuest(td, vcpu, LAST_EXIT.ASYNC);
  const at = td.vcpuAt(vcpu, VCPU_WORD.EXIT_REGS);
  const words = td.vcpus;
  words.fill(0, at, at + 32);
  words[at + 2 * RAX] = EXIT_REASON.EPT_VIOLATION;
  words[at + 2 * RCX] = qualification;
  words[at + 2 * RDX] = eeqLo;
  words[at + 2 * RDX + 1] = eeqHi;
  words[at + 2 * R8] = gpaLo & 0xffff_f000;
  words[at + 2 * R8 + 1] = gpaHi;
  return TD_EXIT;
};

const WRITE = 1 << 1;
const ENTRY_READ_WRITE_EXEC = 7 << 3;

/** Permission bits 5:3 of the exit qualification: those of the entry that stopped the walk. */
export const entryPermissions = (state: number): number =>
  state === SEPT_MAPPED || state === SEPT_NL_MAPPED ? ENTRY_READ_WRITE_EXEC : 0;

/**
 * TD exit because ACCEPT (or ATTR.WR, by `type`) met an entry it cannot use: the one where the secure EPT's
 * last walk ended. It counts as a write.
 */
export const exitAccept = (td: Td, vcpu: number, lo: number, hi: number, type: number): Outcome => {
  const { level, stateHere } = td.sept;
  const info = eeqAcceptHi(lo & 7, level, SEPT_REPORTED[stateHere]!, SEPT_IS_LEAF[stateHere]!);
  return exitEptViolation(td, vcpu, WRITE | entryPermissions(stateHere), type, info, lo, hi);
};
