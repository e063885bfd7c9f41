import { NPF_HI, NPF_LO, SVM_EXIT } from "../abi/snp/ghcb.ts";
import { permissionShift, RMP_VALIDATED } from "./rmp.ts";
import { NESTED_FAULT, SNP_VCPU, type SnpGuest } from "./snp-guest.ts";

/** The access reached the page. */
export const SNP_ACCESS_OK = 0;
/** A #VC is injected, exit code PAGE_NOT_VALIDATED. */
export const SNP_ACCESS_NOT_VALIDATED = 1;

const VMPL_READ = 1;
const VMPL_WRITE = 2;

/** Leaves the guest with a nested page fault about a private access. */
export const nestedFault = (
  guest: SnpGuest,
  vcpu: number,
  gpa: number,
  write: boolean,
  present: boolean,
  high: number,
): number => {
  const low = NPF_LO.USER | (write ? NPF_LO.WRITE : 0) | (present ? NPF_LO.PRESENT | NPF_LO.RMP : 0);
  guest.leave(vcpu, SVM_EXIT.NPF, low, NPF_HI.FINAL | NPF_HI.ENCRYPTED | high, gpa);
  return NESTED_FAULT;
};

/**
 * What an access through a private mapping does.
 *
 * @param gpa guest-physical bytes, without the C-bit
 * @returns SNP_ACCESS_OK; SNP_ACCESS_NOT_VALIDATED: #VC; NESTED_FAULT: not mapped, not this guest's, mapped at another address,
 *   mapped by 2 MiB where the RMP says 4 KiB (SIZEM), or not allowed at this VMPL
 * @source AMD64 manual, volume 2, RMP and VMPL checks; Linux uapi/asm/svm.h
 */
export const snpAccess = (guest: SnpGuest, vcpu: number, gpa: number, write: boolean): number => {
  const gfn = Math.floor(gpa / 4096);
  const { npt, rmp } = guest;
  const frame = npt.translate(gfn);
  if (frame < 0) return nestedFault(guest, vcpu, gpa, write, false, 0);
  if (!rmp.belongs(frame, guest.asid, gfn)) return nestedFault(guest, vcpu, gpa, write, true, 0);
  if (npt.level === 1 && !rmp.large) return nestedFault(guest, vcpu, gpa, write, true, NPF_HI.SIZE_MISMATCH);
  if ((rmp.flags & RMP_VALIDATED) === 0) return SNP_ACCESS_NOT_VALIDATED;
  const vmpl = guest.word(vcpu, SNP_VCPU.VMPL);
  if (vmpl === 0) return SNP_ACCESS_OK;
  const allowed = (rmp.permissions >>> permissionShift(vmpl)) & (write ? VMPL_WRITE : VMPL_READ);
  return allowed !== 0 ? SNP_ACCESS_OK : nestedFault(guest, vcpu, gpa, write, true, NPF_HI.VMPL);
};

/** Bytes from `gpa` on that the guest at VMPL 0 reaches without a fault, at most `length`; at least the first page is reached. */
export const snpReachable = ({ npt, rmp, asid }: SnpGuest, gpa: number, length: number): number => {
  const end = gpa + length;
  let at = gpa;
  while (at < end) {
    const gfn = Math.floor(at / 4096);
    const frame = npt.translate(gfn);
    if (frame < 0 || !rmp.isValid(frame, asid, gfn)) break;
    const bytes = npt.level === 1 && rmp.large ? 2 ** 21 : 4096;
    at += bytes - (at % bytes);
  }
  return Math.min(at, end) - gpa;
};
