import { NPF_HI } from "../abi/snp/ghcb.ts";
import { RMP_2M, RMPADJUST_RESULT } from "../abi/snp/rmp-entry.ts";
import { nestedFault, SNP_ACCESS_NOT_VALIDATED } from "./guest-access.ts";
import { permissionShift, RMP_VALIDATED, RMP_VMSA } from "./rmp.ts";
import { SNP_VCPU, type SnpGuest } from "./snp-guest.ts";

const { SUCCESS, FAIL_INPUT, FAIL_PERMISSION, FAIL_SIZEMISMATCH } = RMPADJUST_RESULT;
const ALL = 15;

/** RMPADJUST raised a #VC: the page is not validated. */
export const ADJUST_NOT_VALIDATED = 0x1000 + SNP_ACCESS_NOT_VALIDATED;

/**
 * RMPADJUST: a guest at VMPL `v` sets what a less privileged level may do with a page, or makes it a save area of a vCPU.
 *
 * @param gpa bytes @param size 0: 4 KiB, 1: 2 MiB @param targetVmpl 1 to 3 @param permissions four bits
 * @returns SUCCESS; FAIL_INPUT for another size or address, or a level that does not exist; FAIL_PERMISSION for a level that is not
 *   below its own, or permissions that it does not have itself; FAIL_SIZEMISMATCH if 2 MiB are asked and it is 4 KiB;
 *   NESTED_FAULT as for PVALIDATE; ADJUST_NOT_VALIDATED. A refusal changes nothing.
 * @source AMD64 manual, volume 3, RMPADJUST; SVSM; that a page which is not validated raises #VC is inference
 */
export const rmpAdjust = (
  guest: SnpGuest,
  vcpu: number,
  gpa: number,
  size: number,
  targetVmpl: number,
  permissions: number,
  vmsa = false,
): number => {
  const { npt, rmp } = guest;
  const large = size === RMP_2M;
  if (size >>> 0 > 1 || targetVmpl > 3 || gpa % (large ? 2 ** 21 : 4096) !== 0) return FAIL_INPUT;
  const own = guest.word(vcpu, SNP_VCPU.VMPL);
  if (targetVmpl <= own) return FAIL_PERMISSION;
  const gfn = gpa / 4096;
  const frame = npt.translate(gfn);
  if (frame < 0) return nestedFault(guest, vcpu, gpa, true, false, 0);
  if (!rmp.belongs(frame, guest.asid, gfn)) return nestedFault(guest, vcpu, gpa, true, true, 0);
  if (large && (npt.level === 0 || !rmp.large)) return FAIL_SIZEMISMATCH;
  if (!large && rmp.large) return nestedFault(guest, vcpu, gpa, true, true, NPF_HI.SIZE_MISMATCH);
  if ((rmp.flags & RMP_VALIDATED) === 0) return ADJUST_NOT_VALIDATED;
  const mine = own === 0 ? ALL : (rmp.permissions >>> permissionShift(own)) & ALL;
  if ((permissions & ~mine) !== 0) return FAIL_PERMISSION;
  const shift = permissionShift(targetVmpl);
  rmp.setPermissions((rmp.permissions & ~(ALL << shift)) | (permissions << shift));
  rmp.setFlags(vmsa ? rmp.flags | RMP_VMSA : rmp.flags & ~RMP_VMSA);
  return SUCCESS;
};
