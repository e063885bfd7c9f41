import type { Kernel } from "../../linux/kernel.ts";
import { GFP } from "../../linux/page-allocator/gfp.ts";
import type { ZonesObserver } from "../../linux/page-allocator/zones.ts";

/**
 * Looks at what an allocation leaves in its zone: while there are chunks to accept, promo accepted free pages. The allocator
 * counts before it takes its block, as if all but one of its pages were gone, so that one page may be missing in the end.
 *
 * What others take from the zone after a task has counted it cannot know of; it says nothing then, and nothing of an
 * allocation that may take no lock.
 */
export class PromoLook implements ZonesObserver {
  private readonly kernel: Kernel;
  private readonly report: (why: string) => void;
  /** By kernel task: zone that it counted last and that nobody else has taken from since, plus 1; 0: none. */
  private readonly counted: Uint8Array;

  constructor(kernel: Kernel, report: (why: string) => void) {
    this.kernel = kernel;
    this.report = report;
    this.counted = new Uint8Array(kernel.accepting.starts.length);
  }

  views(): ArrayBufferView[] {
    return [this.counted];
  }

  counts(task: number, zone: number): void {
    this.counted[task] = zone + 1;
  }

  shrinks(zone: number): void {
    for (let task = 0; task < this.counted.length; task++)
      if (this.counted[task] === zone + 1) this.counted[task] = 0;
  }

  takes(task: number, zone: number, flags: number): void {
    const { zones } = this.kernel;
    const knew = this.counted[task] === zone + 1;
    this.shrinks(zone);
    if (!knew || (flags & GFP.NO_LOCK) !== 0 || zones.length[zones.unacceptedList(zone)] === 0) return;
    const accepted = zones.free[zone]! - zones.unaccepted[zone]!;
    if (accepted < zones.promo[zone]! - 1)
      this.report(
        `zone ${zone} has ${accepted} accepted free pages, and its promo mark is ${zones.promo[zone]}`,
      );
  }
}
