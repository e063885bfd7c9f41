import { RMP_2M, RMPUPDATE_RESULT } from "../abi/snp/rmp-entry.ts";
import { RMP_ASSIGNED, RMP_IMMUTABLE, RMP_VALIDATED, RMP_VMSA, type Rmp } from "./rmp.ts";
import type { SnpGuest } from "./snp-guest.ts";

const { SUCCESS, FAIL_INPUT, FAIL_PERMISSION, FAIL_OVERLAP } = RMPUPDATE_RESULT;
const PAGES = 512;

/** What the hypervisor wants a page to be: struct rmp_state. */
export interface RmpState {
  /** Guest frame. */
  readonly gfn: number;
  readonly assigned: boolean;
  readonly size: number;
  readonly immutable: boolean;
  readonly asid: number;
}

/** The small pages of a block are made shared by RMPUPDATE one by one; a large entry goes as a whole. */
const overlaps = (rmp: Rmp, frame: number, large: boolean): boolean => {
  if (large) return rmp.hasSmall(frame);
  rmp.find(frame);
  return rmp.large;
};

/**
 * RMPUPDATE: the hypervisor gives a page to a guest, not validated, or makes it shared.
 *
 * @param frame host frame @param guest whose nested page tables may map the frame
 * @returns SUCCESS; FAIL_INPUT for a frame outside the table, a block or guest frame that is no multiple of 2 MiB, or another size;
 *   FAIL_PERMISSION if the page is immutable; FAIL_OVERLAP if entries of another size are in the way. A refusal changes nothing.
 * @changes the RMP entry: VALIDATED and VMSA are clear, the permissions of VMPL 1 to 3 none. The page's content is noise.
 * @source AMD64 manual, volume 3, RMPUPDATE; Linux arch/x86/virt/svm/sev.c
 * @missing FAIL_INUSE of an entry that another processor holds; 1 GiB pages
 */
export const rmpUpdate = (guest: SnpGuest, frame: number, state: RmpState): number => {
  const { rmp, npt, contents } = guest;
  const large = state.size === RMP_2M;
  const pages = large ? PAGES : 1;
  if (state.size >>> 0 > 1 || !rmp.covers(frame, pages)) return FAIL_INPUT;
  if (large && (frame % PAGES !== 0 || (state.assigned && state.gfn % PAGES !== 0))) return FAIL_INPUT;
  rmp.find(frame);
  if ((rmp.flags & RMP_IMMUTABLE) !== 0) return FAIL_PERMISSION;
  if (overlaps(rmp, frame, large)) return FAIL_OVERLAP;
  rmp.find(frame);
  const before = rmp.flags;
  const [gfn, asid] = [rmp.gfn, rmp.asid];
  if (state.assigned) rmp.assign(frame, large, state.gfn, state.asid, state.immutable ? RMP_IMMUTABLE : 0);
  else rmp.unassign(frame);
  contents?.scramble(frame, pages);
  const wasValid = (before & (RMP_ASSIGNED | RMP_VALIDATED)) === (RMP_ASSIGNED | RMP_VALIDATED);
  if (asid === guest.asid) npt.noteChange(gfn, frame, wasValid ? -1 : 0);
  if (state.assigned && state.asid === guest.asid) npt.noteChange(state.gfn, frame, 0);
  return SUCCESS;
};

/** Whether an entry's flags say that firmware made a VMSA page of it. */
export const isVmsa = (flags: number): boolean => (flags & RMP_VMSA) !== 0;
