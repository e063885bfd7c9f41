import { ACCEPTED, acceptedOf, isAcceptedPage, septStateName } from "../../machine/facts.ts";
import { MIB, PAGE_SIZE } from "../../units.ts";
import { NO_AREA } from "../../vmm/memory-map.ts";
import type { TrustDomain } from "../td/trust-domain.ts";

const UNIT = 2 * MIB;

/** What hardware would say of an access to guest memory: the secure EPT, and what the guest shares. */
export class PageRights {
  private readonly td: TrustDomain;

  constructor(td: TrustDomain) {
    this.td = td;
  }

  /** Whether the guest may touch the 4 KiB page at `gpa`: accepted, or shared with the host. */
  mayTouch(gpa: number): boolean {
    const { td } = this.td.machine;
    const accepted = acceptedOf(td, Math.floor(gpa / UNIT));
    if (accepted === ACCEPTED.ALL) return true;
    return (accepted === ACCEPTED.SOME && isAcceptedPage(td, gpa)) || this.isShared(gpa);
  }

  isPlugged(gpa: number): boolean {
    return this.td.machine.vmm.pluggedFrame(Math.floor(gpa / PAGE_SIZE));
  }

  /** State of the secure EPT entry. */
  stateName(gpa: number): string {
    return septStateName(this.td.machine.td, gpa);
  }

  /** Whether memory of [start, end) is accepted that the TD has to release before the VMM can take it. */
  mustBeReleased(start: number, end: number): boolean {
    const { td, config } = this.td.machine;
    if (!config.pageRelease) return false;
    for (let unit = Math.floor(start / UNIT); unit * UNIT < end; unit++)
      if (acceptedOf(td, unit) !== ACCEPTED.NONE) return true;
    return false;
  }

  private isShared(gpa: number): boolean {
    const { vmm } = this.td.machine;
    const frame = Math.floor(gpa / PAGE_SIZE);
    const area = vmm.map.find(frame);
    return area !== NO_AREA && !vmm.pieceOf(area).isPrivate.has(frame - vmm.map.start(area));
  }
}
