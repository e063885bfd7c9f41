import { assert } from "../../assert.ts";
import type { Kernel } from "../kernel.ts";
import { NIL } from "../mem-map.ts";
import { NO_ZONE, zoneOf } from "./zones.ts";

/** First frame of the pageblock that a frame lies in. */
export const pageblockStart = (k: Kernel, pfn: number): number => pfn - (pfn % k.geometry.pagesPerBlock);

/** Number of the pageblock of a frame that has a memmap. */
export const pageblockAt = (k: Kernel, pfn: number): number => {
  const index = k.mm.indexOf(pfn);
  assert(index !== NIL, () => `page ${pfn} has a memmap`);
  return index >> k.geometry.pageblockOrder;
};

/** Gives every pageblock that [startPfn, startPfn + n) touches to a zone. */
const setZone = (k: Kernel, startPfn: number, n: number, zone: number): void => {
  const { pagesPerBlock } = k.geometry;
  for (let pfn = pageblockStart(k, startPfn); pfn < startPfn + n; pfn += pagesPerBlock)
    k.mm.zone[pageblockAt(k, pfn)] = zone;
};

/**
 * Makes the pages members of a zone and widens its span. Present and managed pages are counted by who onlines.
 *
 * @param zone zone number
 * @source Linux mm/memory_hotplug.c, move_pfn_range_to_zone
 */
export const movePfnRangeToZone = (k: Kernel, startPfn: number, n: number, zone: number): void => {
  const { zones } = k;
  const empty = zones.spannedEnd[zone] === 0;
  zones.spannedStart[zone] = empty ? startPfn : Math.min(zones.spannedStart[zone]!, startPfn);
  zones.spannedEnd[zone] = Math.max(zones.spannedEnd[zone]!, startPfn + n);
  setZone(k, startPfn, n, zone);
};

/** First frame and end of what is left of a zone, to whole pageblocks; 0 and 0 if nothing is. */
const memberSpan = (k: Kernel, zone: number): readonly [number, number] => {
  const { mm, geometry } = k;
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  for (let block = 0; block < mm.zone.length; block++) {
    if (mm.zone[block] !== zone) continue;
    const pfn = mm.pfnOf(block * geometry.pagesPerBlock);
    start = Math.min(start, pfn);
    end = Math.max(end, pfn + geometry.pagesPerBlock);
  }
  return end === 0 ? [0, 0] : [start, end];
};

/**
 * Takes the pages out of their zone and shrinks its span to what is left.
 *
 * @source Linux mm/memory_hotplug.c, remove_pfn_range_from_zone, shrink_zone_span
 */
export const removePfnRangeFromZone = (k: Kernel, startPfn: number, n: number): void => {
  const { zones } = k;
  const zone = zoneOf(k, startPfn);
  if (zone === NO_ZONE) return;
  setZone(k, startPfn, n, NO_ZONE);
  const touchesStart = startPfn <= zones.spannedStart[zone]!;
  const touchesEnd = startPfn + n >= zones.spannedEnd[zone]!;
  if (!touchesStart && !touchesEnd) return;
  const [start, end] = memberSpan(k, zone);
  if (touchesStart) zones.spannedStart[zone] = start;
  if (touchesEnd) zones.spannedEnd[zone] = end;
};
