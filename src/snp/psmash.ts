import { PSMASH_RESULT } from "../abi/snp/rmp-entry.ts";
import { RMP_IMMUTABLE } from "./rmp.ts";
import type { SnpGuest } from "./snp-guest.ts";

const { SUCCESS, FAIL_INPUT, FAIL_PERMISSION, FAIL_BADADDR } = PSMASH_RESULT;

/**
 * PSMASH: the hypervisor puts 512 entries of 4 KiB in the place of one of 2 MiB, each with what that one said, VALIDATED too.
 *
 * @param frame first host frame of the block
 * @returns SUCCESS; FAIL_INPUT if the frame is no multiple of 2 MiB; FAIL_BADADDR outside the table; FAIL_PERMISSION if immutable;
 *   FAIL_INPUT if the block has no entry of 2 MiB. A refusal changes nothing.
 * @source AMD64 manual, volume 3, PSMASH
 * @missing FAIL_INUSE of an entry that another processor holds
 */
export const psmash = ({ rmp }: SnpGuest, frame: number): number => {
  if (frame % 512 !== 0) return FAIL_INPUT;
  if (!rmp.covers(frame, 512)) return FAIL_BADADDR;
  rmp.find(frame);
  if (!rmp.large) return FAIL_INPUT;
  if ((rmp.flags & RMP_IMMUTABLE) !== 0) return FAIL_PERMISSION;
  rmp.smash(frame);
  return SUCCESS;
};
