import { GIB, MIB } from "../../units.ts";
import type { Geometry } from "../geometry.ts";
import type { Kernel } from "../kernel.ts";
import { NIL } from "../mem-map.ts";

/** Zones of one node, lowest first. The names are those of /proc/zoneinfo. */
export const ZONE_NAMES = ["DMA", "DMA32", "Normal", "Movable"] as const;
export const ZONE = { DMA: 0, DMA32: 1, NORMAL: 2, MOVABLE: 3 } as const;
export const ZONES_PER_NODE = ZONE_NAMES.length;
/** Zone number of a page without a zone. */
export const NO_ZONE = 0xff;

/** End of the addresses of ZONE_DMA and ZONE_DMA32, bytes. @source Linux arch/x86/include/asm/dma.h */
const DMA_END = 16 * MIB;
const DMA32_END = 4 * GIB;

/** Zone type that boot memory at this address belongs to. */
export const zoneTypeAt = (address: number): number =>
  address < DMA_END ? ZONE.DMA : address < DMA32_END ? ZONE.DMA32 : ZONE.NORMAL;
/** First address above that is in another zone type, bytes; Infinity in NORMAL. */
export const zoneTypeEnd = (type: number): number =>
  type === ZONE.DMA ? DMA_END : type === ZONE.DMA32 ? DMA32_END : Number.POSITIVE_INFINITY;

/** Slots of `Zones.words`. */
const WORD = { minFreeKbytes: 0, userMinFreeKbytes: 1, thp: 2, totalReserve: 3, key: 4, warned: 5 } as const;

/** Who looks at what happens to a zone's free pages, task by task. Nothing of the kernel depends on it. */
export interface ZonesObserver {
  /** An allocation is about to count what a zone has. */
  counts(task: number, zone: number): void;
  /** It took a block there. */
  takes(task: number, zone: number, flags: number): void;
  /** Something else makes the accepted free pages of a zone fewer, or its marks higher. */
  shrinks(zone: number): void;
}

/**
 * The zones of all nodes: counters, watermarks and list heads. A zone's number is node * 4 + type. All
 * figures are pages.
 *
 * A zone has a list of free blocks an order, another set of them for isolated pageblocks, and the list of
 * unaccepted chunks. The links between blocks are the memmap's.
 *
 * @source Linux include/linux/mmzone.h, struct zone
 * @missing migrate types other than MOVABLE and ISOLATE (so no grouping by mobility), HIGHATOMIC and CMA
 *   pages, per-cpu lists, watermark boost, ZONE_DEVICE
 */
export class Zones {
  readonly geometry: Geometry;
  readonly nodes: number;
  /** Lists of one zone: free by order, isolated by order, unaccepted. */
  readonly listsPerZone: number;
  /** Pages that the allocator was given; MemTotal is their sum. */
  readonly managed: Float64Array;
  /** Pages that exist. */
  readonly present: Float64Array;
  /** First frame and end of the zone's span; both 0 while it is empty. */
  readonly spannedStart: Float64Array;
  readonly spannedEnd: Float64Array;
  /** NR_FREE_PAGES: free or unaccepted, isolated pages left out. */
  readonly free: Float64Array;
  /** NR_UNACCEPTED. */
  readonly unaccepted: Float64Array;
  /** First frame, by node, that waits for deferred initialisation; Infinity when none does. */
  readonly firstDeferred: Float64Array;
  /** Pages allocated as movable. */
  readonly movable: Float64Array;
  /** Pageblocks whose migrate type is ISOLATE. */
  readonly isolatedPageblocks: Float64Array;
  readonly min: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly promo: Float64Array;
  /** lowmem_reserve, four a zone: pages kept from allocations that could use this higher zone type. */
  readonly lowmemReserve: Float64Array;
  /** First and last block of each list as block numbers (page index >> order), NIL when empty. */
  readonly head: Int32Array;
  readonly tail: Int32Array;
  /** Blocks of each list. */
  readonly length: Float64Array;
  observer: ZonesObserver | undefined;
  private readonly words = new Float64Array(Object.keys(WORD).length);

  constructor(geometry: Geometry, nodes: number) {
    const zones = nodes * ZONES_PER_NODE;
    const counter = (): Float64Array => new Float64Array(zones);
    this.geometry = geometry;
    this.nodes = nodes;
    this.listsPerZone = 2 * (geometry.maxOrder + 1) + 1;
    this.managed = counter();
    this.present = counter();
    this.spannedStart = counter();
    this.spannedEnd = counter();
    this.free = counter();
    this.unaccepted = counter();
    this.firstDeferred = new Float64Array(nodes).fill(Number.POSITIVE_INFINITY);
    this.movable = counter();
    this.isolatedPageblocks = counter();
    this.min = counter();
    this.low = counter();
    this.high = counter();
    this.promo = counter();
    this.lowmemReserve = new Float64Array(zones * ZONES_PER_NODE);
    this.head = new Int32Array(zones * this.listsPerZone).fill(NIL);
    this.tail = new Int32Array(zones * this.listsPerZone).fill(NIL);
    this.length = new Float64Array(zones * this.listsPerZone);
    this.words[WORD.userMinFreeKbytes] = -1;
  }

  /** Number of zones, populated or not. */
  get count(): number {
    return this.nodes * ZONES_PER_NODE;
  }

  get minFreeKbytes(): number {
    return this.words[WORD.minFreeKbytes]!;
  }
  set minFreeKbytes(kilobytes: number) {
    this.words[WORD.minFreeKbytes] = kilobytes;
  }

  /** vm.min_free_kbytes as written by the user, -1 if never. A smaller computed value does not replace it. */
  get userMinFreeKbytes(): number {
    return this.words[WORD.userMinFreeKbytes]!;
  }
  set userMinFreeKbytes(kilobytes: number) {
    this.words[WORD.userMinFreeKbytes] = kilobytes;
  }

  /** Whether khugepaged runs, which raises min_free_kbytes. */
  get thp(): boolean {
    return this.words[WORD.thp] !== 0;
  }
  set thp(on: boolean) {
    this.words[WORD.thp] = on ? 1 : 0;
  }

  /** totalreserve_pages: what MemAvailable leaves out. */
  get totalReserve(): number {
    return this.words[WORD.totalReserve]!;
  }
  set totalReserve(pages: number) {
    this.words[WORD.totalReserve] = pages;
  }

  /** zones_with_unaccepted_pages, in kernels that have that key. */
  get unacceptedKey(): number {
    return this.words[WORD.key]!;
  }
  set unacceptedKey(zones: number) {
    this.words[WORD.key] = zones;
  }

  /** The one warning about a count below 0 was printed. */
  get warnedOfKey(): boolean {
    return this.words[WORD.warned] !== 0;
  }
  set warnedOfKey(warned: boolean) {
    this.words[WORD.warned] = warned ? 1 : 0;
  }

  freeList(zone: number, order: number, isolated: boolean): number {
    return zone * this.listsPerZone + (isolated ? this.geometry.maxOrder + 1 : 0) + order;
  }

  unacceptedList(zone: number): number {
    return zone * this.listsPerZone + 2 * (this.geometry.maxOrder + 1);
  }

  /** Sum of one counter over all zones or over those of a node. */
  sum(counter: Float64Array, node = -1): number {
    let total = 0;
    for (let zone = 0; zone < this.count; zone++) {
      if (node < 0 || Math.floor(zone / ZONES_PER_NODE) === node) total += counter[zone]!;
    }
    return total;
  }

  /** The arrays that a snapshot copies. */
  views(): ArrayBufferView[] {
    return [
      ...[this.managed, this.present, this.spannedStart, this.spannedEnd, this.free, this.unaccepted],
      ...[this.movable, this.isolatedPageblocks, this.min, this.low, this.high, this.promo],
      ...[this.firstDeferred, this.lowmemReserve, this.head, this.tail, this.length, this.words],
    ];
  }
}

export const zoneNumber = (node: number, type: number): number => node * ZONES_PER_NODE + type;
export const zoneType = (zone: number): number => zone % ZONES_PER_NODE;
export const zoneNode = (zone: number): number => Math.floor(zone / ZONES_PER_NODE);

/** Zone number of the page with this index; NO_ZONE while it was given to none. */
export const zoneOfIndex = (k: Kernel, index: number): number =>
  k.mm.zone[index >> k.geometry.pageblockOrder]!;

/** Zone number of the page `pfn`; NO_ZONE if it has no memmap or no zone. */
export const zoneOf = (k: Kernel, pfn: number): number => {
  const index = k.mm.indexOf(pfn);
  return index === NIL ? NO_ZONE : zoneOfIndex(k, index);
};
