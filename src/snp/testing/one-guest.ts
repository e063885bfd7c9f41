import { RMP_2M, RMP_4K } from "../../abi/snp/rmp-entry.ts";
import { Rmp } from "../rmp.ts";
import { rmpUpdate } from "../rmpupdate.ts";
import { SnpGuest } from "../snp-guest.ts";

const GIB = 2 ** 30;
export const ASID = 5;

/** A guest on a host whose RMP covers 4 GiB to 20 GiB; host frames in the tests count from there. */
export const oneGuest = (vcpus = 1) => {
  const rmp = new Rmp(4 * GIB, 16 * GIB);
  const guest = new SnpGuest(rmp, ASID, vcpus);
  const base = GIB / 1024;
  const update = (frame: number, gfn: number, size: number, assigned = true, asid = ASID): number =>
    rmpUpdate(guest, base + frame, { gfn, assigned, size, immutable: false, asid });
  return {
    rmp,
    guest,
    base,
    update,
    /** Assigns and maps one page of 4 KiB. */
    give: (gfn: number, frame: number): void => {
      update(frame, gfn, RMP_4K);
      guest.npt.mapSmall(gfn, base + frame);
    },
    /** Assigns and maps a block of 2 MiB. */
    giveLarge: (gfn: number, frame: number): void => {
      update(frame, gfn, RMP_2M);
      guest.npt.mapLarge(gfn, base + frame);
    },
    /** State of a guest page: FREE 0, PENDING 5, MAPPED 3. */
    stateOf: (gfn: number): number => {
      guest.npt.walk((gfn * 4096) >>> 0, Math.floor(gfn / 2 ** 20), 0);
      return guest.npt.stateHere;
    },
  };
};
