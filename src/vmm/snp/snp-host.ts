import { RMP_2M, RMP_4K } from "../../abi/snp/rmp-entry.ts";
import { psmash } from "../../snp/psmash.ts";
import { rmpUpdate } from "../../snp/rmpupdate.ts";
import type { SnpGuest } from "../../snp/snp-guest.ts";
import { PAGE_SIZE } from "../../units.ts";
import { PSMASH_EVENT, RMPUPDATE_EVENT, type VmmSink } from "../events.ts";
import { UNIT_PAGES } from "../page-set.ts";

/**
 * What KVM does to a guest's memory on SEV-SNP: RMPUPDATE and PSMASH, one event each, and the nested page tables, which are its own.
 * Frames are 4 KiB frames of the guest or the host.
 *
 * @source Linux arch/x86/kvm/svm/sev.c (sev_gmem_prepare, sev_gmem_invalidate, sev_handle_rmp_fault)
 */
export class SnpHost {
  readonly guest: SnpGuest;
  private readonly sink: VmmSink | undefined;

  constructor(guest: SnpGuest, sink: VmmSink | undefined) {
    this.guest = guest;
    this.sink = sink;
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
    const result = psmash(this.guest, hostFrame);
    this.sink?.emit(PSMASH_EVENT, frame * PAGE_SIZE, result, 0, 0, 0);
    if (result === 0) this.guest.npt.split(frame);
    return result;
  }

  private update(frame: number, hostFrame: number, large: boolean, assigned: boolean): number {
    const size = large ? RMP_2M : RMP_4K;
    const { asid } = this.guest;
    const state = { gfn: frame, assigned, size, immutable: false, asid: assigned ? asid : 0 };
    const result = rmpUpdate(this.guest, hostFrame, state);
    this.sink?.emit(RMPUPDATE_EVENT, frame * PAGE_SIZE, size, assigned ? 1 : 0, result, 0);
    return result;
  }
}
