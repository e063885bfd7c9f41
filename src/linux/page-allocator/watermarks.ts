import type { Kernel } from "../kernel.ts";
import { unusableFree } from "./cond-accept.ts";
import { hasBlock } from "./free-lists.ts";
import { GFP } from "./gfp.ts";
import { ZONE, ZONES_PER_NODE, type Zones, zoneNumber, zoneType } from "./zones.ts";

/** Bounds of the computed min_free_kbytes, kilobytes. */
const MIN_FREE_FLOOR = 128;
const MIN_FREE_CEILING = 262_144;
/** SWAP_CLUSTER_MAX and the ceiling of MOVABLE's min watermark, pages. */
const MOVABLE_MIN_FLOOR = 32;
const MOVABLE_MIN_CEILING = 128;
/** vm.watermark_scale_factor, in ten-thousandths of a zone. */
const WATERMARK_SCALE_FACTOR = 10;
/** vm.lowmem_reserve_ratio by zone type; 0: none. */
const LOWMEM_RESERVE_RATIO = [256, 256, 32, 0] as const;
/** MIGRATE_PCPTYPES: the migrate types that khugepaged wants pageblocks kept free for. */
const PCP_TYPES = 3;

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
const isLowmem = (zone: number): boolean => zoneType(zone) !== ZONE.MOVABLE;

/** nr_free_buffer_pages: managed pages above the high watermark, zones up to NORMAL. */
const freeBufferPages = (zones: Zones): number => {
  let pages = 0;
  for (let zone = 0; zone < zones.count; zone++) {
    if (isLowmem(zone)) pages += Math.max(0, zones.managed[zone]! - zones.high[zone]!);
  }
  return pages;
};

const calculateMinFreeKbytes = (k: Kernel): void => {
  const { zones } = k;
  const lowmemKbytes = Math.floor((freeBufferPages(zones) * k.geometry.pageSize) / 1024);
  const computed = Math.floor(Math.sqrt(lowmemKbytes * 16));
  if (computed > zones.userMinFreeKbytes) {
    zones.minFreeKbytes = clamp(computed, MIN_FREE_FLOOR, MIN_FREE_CEILING);
  } else {
    k.printk(
      `min_free_kbytes is not updated to ${computed} because user defined value ${zones.userMinFreeKbytes} is preferred`,
    );
  }
};

const totalReserve = (zones: Zones): number => {
  let total = 0;
  for (let zone = 0; zone < zones.count; zone++) {
    let reserve = 0;
    for (let upper = zoneType(zone); upper < ZONES_PER_NODE; upper++) {
      reserve = Math.max(reserve, zones.lowmemReserve[zone * ZONES_PER_NODE + upper]!);
    }
    total += Math.min(reserve + zones.high[zone]!, zones.managed[zone]!);
  }
  return total;
};

/** Spreads min_free_kbytes over the zones: min, and low, high, promo in equal steps above it. */
const spreadWatermarks = (k: Kernel): void => {
  const { zones } = k;
  const pagesMin = Math.floor((zones.minFreeKbytes * 1024) / k.geometry.pageSize);
  let lowmem = 0;
  for (let zone = 0; zone < zones.count; zone++) if (isLowmem(zone)) lowmem += zones.managed[zone]!;
  for (let zone = 0; zone < zones.count; zone++) {
    const managed = zones.managed[zone]!;
    const share = lowmem === 0 ? 0 : Math.floor((pagesMin * managed) / lowmem);
    const min = isLowmem(zone)
      ? share
      : clamp(Math.floor(managed / 1024), MOVABLE_MIN_FLOOR, MOVABLE_MIN_CEILING);
    const step = Math.max(Math.floor(share / 4), Math.floor((managed * WATERMARK_SCALE_FACTOR) / 10_000));
    zones.min[zone] = min;
    zones.low[zone] = min + step;
    zones.high[zone] = min + 2 * step;
    zones.promo[zone] = min + 3 * step;
    zones.observer?.shrinks(zone);
  }
  zones.totalReserve = totalReserve(zones);
};

/** Pages of each zone that allocations able to use a higher zone must leave alone. */
const reserveLowmem = (zones: Zones): void => {
  for (let node = 0; node < zones.nodes; node++) {
    for (let lower = 0; lower < ZONES_PER_NODE - 1; lower++) {
      const zone = zoneNumber(node, lower);
      const ratio = LOWMEM_RESERVE_RATIO[lower]!;
      const clear = ratio === 0 || zones.managed[zone] === 0;
      let managed = 0;
      for (let upper = lower + 1; upper < ZONES_PER_NODE; upper++) {
        managed += zones.managed[zoneNumber(node, upper)]!;
        zones.lowmemReserve[zone * ZONES_PER_NODE + upper] = clear ? 0 : Math.floor(managed / ratio);
      }
    }
  }
  zones.totalReserve = totalReserve(zones);
};

/**
 * set_recommended_min_free_kbytes: huge pages want pageblocks free, two a zone and one for each pair of
 * migrate types, but no more than a twentieth of low memory.
 */
const raiseForHugePages = (k: Kernel): void => {
  const { zones, geometry } = k;
  let populated = 0;
  for (let zone = 0; zone < zones.count; zone++) {
    if (isLowmem(zone) && zones.present[zone]! > 0) populated++;
  }
  const wanted = geometry.pagesPerBlock * populated * (2 + PCP_TYPES * PCP_TYPES);
  const pages = Math.min(wanted, Math.floor(freeBufferPages(zones) / 20));
  const kbytes = Math.floor((pages * geometry.pageSize) / 1024);
  if (kbytes > zones.minFreeKbytes) {
    if (zones.userMinFreeKbytes >= 0) {
      k.printk(
        `raising min_free_kbytes from ${zones.minFreeKbytes} to ${kbytes} to help transparent hugepage allocations`,
      );
    }
    zones.minFreeKbytes = kbytes;
  }
  spreadWatermarks(k);
};

/**
 * init_per_zone_wmark_min: computes min_free_kbytes and every zone's watermarks anew. Runs at the postcore
 * initcall and after every online and offline.
 *
 * @source Linux mm/page_alloc.c, calculate_min_free_kbytes, __setup_per_zone_wmarks,
 *   setup_per_zone_lowmem_reserve; mm/khugepaged.c
 */
export const setupPerZoneWmarks = (k: Kernel): void => {
  calculateMinFreeKbytes(k);
  spreadWatermarks(k);
  reserveLowmem(k.zones);
  if (k.zones.thp) raiseForHugePages(k);
};

/** khugepaged starts: from now on its wish counts whenever watermarks are computed. */
export const startKhugepaged = (k: Kernel): void => {
  k.zones.thp = true;
  raiseForHugePages(k);
};

/** Which watermark an attempt must leave intact. */
export const WMARK = { MIN: 0, LOW: 1 } as const;

/**
 * __zone_watermark_ok: whether the zone keeps its watermark and its reserve after this allocation, and has a
 * block large enough. Unaccepted pages count as free.
 *
 * @param highest highest zone type that the allocation may use
 * @source Linux mm/page_alloc.c
 */
export const zoneWatermarkOk = (
  k: Kernel,
  zone: number,
  order: number,
  wmark: number,
  highest: number,
  flags: number,
): boolean => {
  if ((flags & GFP.NO_WATERMARKS) !== 0) return true;
  const { zones } = k;
  const mark = wmark === WMARK.LOW ? zones.low[zone]! : zones.min[zone]!;
  const reserve = zones.lowmemReserve[zone * ZONES_PER_NODE + highest]!;
  if (zones.free[zone]! - unusableFree(order) <= mark + reserve) return false;
  return order === 0 || hasBlock(k, zone, order);
};
