import { NPF_HI } from "../abi/snp/ghcb.ts";
import { PVALIDATE_RESULT, RMP_2M } from "../abi/snp/rmp-entry.ts";
import { nestedFault } from "./guest-access.ts";
import { RMP_VALIDATED } from "./rmp.ts";
import type { SnpGuest } from "./snp-guest.ts";

const { SUCCESS, FAIL_INPUT, FAIL_SIZEMISMATCH, NO_UPDATE } = PVALIDATE_RESULT;

/**
 * PVALIDATE: the guest says of a private page whether it takes it for its own. The content stays what it was: garbage, on a page that
 * was just assigned.
 *
 * @param gpa what the virtual address translates to, in bytes
 * @param size 0: 4 KiB, 1: 2 MiB @param validate 1: validate, 0: rescind
 * @returns SUCCESS;
 *   FAIL_INPUT for another size, or an address that is no multiple of it;
 *   NESTED_FAULT if the page is not mapped, not this guest's or mapped elsewhere, or if 4 KiB are asked of a 2 MiB entry (SIZEM);
 *   FAIL_SIZEMISMATCH if 2 MiB are asked and mapping or RMP entry is of 4 KiB;
 *   NO_UPDATE, EAX 0 with the carry flag: it was so already. A refusal changes nothing.
 * @changes the VALIDATED bit of one RMP entry
 * @source AMD64 manual, volume 3, PVALIDATE; Linux arch/x86/include/asm/sev.h
 * @missing VMPL above 0, where the instruction is not allowed; the eviction of cache lines on CPUs without COHERENCY_SFW_NO
 */
export const pvalidate = (
  guest: SnpGuest,
  vcpu: number,
  gpa: number,
  size: number,
  validate: number,
): number => {
  const { npt, rmp } = guest;
  const large = size === RMP_2M;
  if (size >>> 0 > 1 || validate >>> 0 > 1 || ((gpa >>> 0) & (large ? 0x1f_ffff : 0xfff)) !== 0)
    return FAIL_INPUT;
  const gfn = gpa / 4096;
  const frame = npt.translate(gfn);
  if (frame < 0) return nestedFault(guest, vcpu, gpa, true, false, 0);
  if (!rmp.belongs(frame, guest.asid, gfn)) return nestedFault(guest, vcpu, gpa, true, true, 0);
  if (large && (npt.level === 0 || !rmp.large)) return FAIL_SIZEMISMATCH;
  if (!large && rmp.large) return nestedFault(guest, vcpu, gpa, true, true, NPF_HI.SIZE_MISMATCH);
  const { flags } = rmp;
  if (((flags & RMP_VALIDATED) !== 0) === (validate === 1)) return NO_UPDATE;
  rmp.setFlags(flags ^ RMP_VALIDATED);
  npt.noteChange(gfn, frame, validate === 1 ? 1 : -1);
  return SUCCESS;
};
