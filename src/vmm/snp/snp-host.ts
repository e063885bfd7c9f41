import { PSMASH_RESULT, RMP_2M, RMP_4K, RMPUPDATE_RESULT } from "../../abi/snp/rmp-entry.ts";
import { psmash } from "../../snp/psmash.ts";
import { rmpUpdate } from "../../snp/rmpupdate.ts";
import type { SnpGuest } from "../../snp/snp-guest.ts";
import { PAGE_SIZE } from "../../units.ts";
import { PSMASH_EVENT, RMPUPDATE_EVENT, type VmmSink } from "../events.ts";
import { UNIT_PAGES } from "../page-set.ts";

/** Says what an instruction is made to answer; -1: it does its work. */
export interface RmpFaults {
  /** @param start guest-physical bytes, half open */
  rmpUpdate(start: number, end: number): number;
  psmash(start: number, end: number): number;
}

/** KVM repeats an RMPUPDATE that met an entry of the other size, and a PSMASH of an entry in use, without end. */
const REPEATS = 64;

/**
 * What KVM does to a guest's memory on SEV-SNP: RMPUPDATE and PSMASH, one event each, and the nested page tables, which are its own.
 * Frames are 4 KiB frames of the guest or the host.
 *
 * @source Linux arch/x86/kvm/svm/sev.c (sev_gmem_prepare, sev_gmem_invalidate, sev_handle_rmp_fault)
 */
export class SnpHost {
  readonly guest: SnpGuest;
  private readonly sink: VmmSink | undefined;
  private readonly faults: RmpFaults | undefined;

  constructor(guest: SnpGuest, sink: VmmSink | undefined, faults?: RmpFaults) {
    this.guest = guest;
    this.sink = sink;
    this.faults = faults;
  }

  /** Gives a host page to the guest, not validated, and maps it. @returns what RMPUPDATE answered */
  give(frame: number, hostFrame: number, large: boolean): number {
    const result = this.update(frame, hostFrame, large, true);
    if (result !== 0) return result;
    if (large) this.guest.npt.mapLarge(frame, hostFrame);
    else this.guest.npt.mapSmall(frame, hostFrame);
    return 0;
  }

  /** Takes a mapping away and makes its host page shared. @returns what RMPUPDATE answered */
  takeBack(frame: number, hostFrame: number, large: boolean): number {
    this.guest.npt.unmap(frame);
    return this.update(frame, hostFrame, large, false);
  }

  /** Takes a mapping away and leaves the RMP as it is: the page stays the guest's, validated if it was. */
  setAside(frame: number): void {
    this.guest.npt.unmap(frame);
  }

  /** Maps pages of a block that was set aside again, as the RMP has them. */
  bringBack(frame: number, hostFrame: number): void {
    const { npt, rmp } = this.guest;
    rmp.find(hostFrame);
    if (rmp.large) npt.mapLarge(frame, hostFrame);
    else
      for (let page = 0; page < UNIT_PAGES; page++)
        if (rmp.belongs(hostFrame + page, this.guest.asid, frame + page))
          npt.mapSmall(frame + page, hostFrame + page);
  }

  /** Splits the mapping and the RMP entry of a unit. @returns what PSMASH answered */
  smash(frame: number, hostFrame: number): number {
    const start = frame * PAGE_SIZE;
    for (let tries = 1; ; tries++) {
      const made = this.faults?.psmash(start, start + UNIT_PAGES * PAGE_SIZE) ?? -1;
      const result = made >= 0 ? made : psmash(this.guest, hostFrame);
      this.sink?.emit(PSMASH_EVENT, start, result, 0, 0, 0);
      if (result === 0) this.guest.npt.split(frame);
      if (result !== PSMASH_RESULT.FAIL_INUSE || tries === REPEATS) return result;
    }
  }

  private update(frame: number, hostFrame: number, large: boolean, assigned: boolean): number {
    const size = large ? RMP_2M : RMP_4K;
    const { asid } = this.guest;
    const state = { gfn: frame, assigned, size, immutable: false, asid: assigned ? asid : 0 };
    const start = frame * PAGE_SIZE;
    const end = start + (large ? UNIT_PAGES : 1) * PAGE_SIZE;
    for (let tries = 1; ; tries++) {
      const made = this.faults?.rmpUpdate(start, end) ?? -1;
      const result = made >= 0 ? made : rmpUpdate(this.guest, hostFrame, state);
      this.sink?.emit(RMPUPDATE_EVENT, start, size, assigned ? 1 : 0, result, 0);
      if (result !== RMPUPDATE_RESULT.FAIL_OVERLAP || tries === REPEATS) return result;
    }
  }
}
