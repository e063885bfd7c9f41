import type { Kernel } from "../kernel.ts";
import { MMOP } from "../memory-block.ts";
import { ZONE, zoneNumber } from "../page-allocator/zones.ts";

/** zone_intersects(): whether the zone's span and the range have a page in common. */
const intersects = (k: Kernel, zone: number, pfn: number, pages: number): boolean =>
  k.zones.spannedStart[zone]! < pfn + pages && pfn < k.zones.spannedEnd[zone]!;

/** Zone that "online_kernel" gives a range: the lowest below NORMAL that it intersects, else NORMAL. */
export const kernelZoneFor = (k: Kernel, node: number, pfn: number, pages: number): number => {
  for (let type = 0; type < ZONE.NORMAL; type++) {
    if (intersects(k, zoneNumber(node, type), pfn, pages)) return zoneNumber(node, type);
  }
  return zoneNumber(node, ZONE.NORMAL);
};

/**
 * Zone number that a range gets when it is onlined with an MMOP type, by policy contig-zones: plain "online"
 * goes on in the zone that is there already, if just one of the two candidates is.
 *
 * @source Linux mm/memory_hotplug.c, zone_for_pfn_range
 * @missing policy auto-movable, movable_node
 */
export const zoneForOnlining = (
  k: Kernel,
  type: number,
  node: number,
  pfn: number,
  pages: number,
): number => {
  const kernel = kernelZoneFor(k, node, pfn, pages);
  const movable = zoneNumber(node, ZONE.MOVABLE);
  if (type === MMOP.ONLINE_KERNEL) return kernel;
  if (type === MMOP.ONLINE_MOVABLE) return movable;
  return intersects(k, movable, pfn, pages) && !intersects(k, kernel, pfn, pages) ? movable : kernel;
};
