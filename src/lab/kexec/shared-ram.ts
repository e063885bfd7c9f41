import { PAGE_SIZE } from "../../units.ts";
import { RAM_AREA } from "../../vmm/memory-map.ts";
import type { Vmm } from "../../vmm/vmm.ts";
import type { PageRights } from "../enforce/page-rights.ts";
import type { LabViolation } from "../enforce/violation.ts";
import type { Span } from "../span.ts";

/** Runs of boot memory that the guest shares with its host. Boot memory starts private, so the guest shared them. */
export const sharedRam = (vmm: Pick<Vmm, "map" | "pieceOf">): Span[] => {
  const { map } = vmm;
  const found: Span[] = [];
  for (const [area, { kind }] of map.areas.entries()) {
    if (kind !== RAM_AREA || !map.isPresent(area)) continue;
    const first = map.start(area);
    const pages = map.end(area) - first;
    const { isPrivate } = vmm.pieceOf(area);
    for (let page = isPrivate.nextMissing(0, pages); page < pages; ) {
      const end = isPrivate.next(page, pages);
      found.push({ start: (first + page) * PAGE_SIZE, end: (first + end) * PAGE_SIZE });
      page = isPrivate.nextMissing(end, pages);
    }
  }
  return found;
};

/** How a kernel says that it could not take everything back. @source Linux arch/x86/coco/tdx/tdx.c */
const SAID =
  /Failed to unshare range|shared page accounting is off|Failed to stop shared<->private conversions/;

/**
 * What memory is still shared when another kernel is started. I40: none is, or the kernel's log says so.
 *
 * @param said what the kernel printed
 */
export const judgeShared = (
  shared: readonly Span[],
  said: string,
  { stateName }: Pick<PageRights, "stateName">,
): LabViolation[] => {
  if (SAID.test(said)) return [];
  return shared.map((range) => ({
    invariant: "I40",
    range,
    why: `${(range.end - range.start) / 1024} KiB are still shared with the host when another kernel is started`,
    place: undefined,
    vcpu: undefined,
    septState: stateName(range.start),
    plugged: true,
  }));
};
