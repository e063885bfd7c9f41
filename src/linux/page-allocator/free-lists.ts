import { assert } from "../../assert.ts";
import type { Kernel } from "../kernel.ts";
import { NIL, USE, type Use, useOf } from "../mem-map.ts";
import { zoneOfIndex } from "./zones.ts";

/** Puts the block at `index` on a list, at its tail or its head. Counters are the caller's. */
export const pushBlock = (k: Kernel, list: number, index: number, order: number, toTail: boolean): void => {
  const { zones } = k;
  const { links } = k.mm;
  const block = index >> order;
  const head = zones.head[list]!;
  const tail = zones.tail[list]!;
  if (head === NIL) {
    links.set(order, block, NIL, NIL);
    zones.head[list] = block;
    zones.tail[list] = block;
  } else if (toTail) {
    links.set(order, block, NIL, tail);
    links.setNext(order, tail, block);
    zones.tail[list] = block;
  } else {
    links.set(order, block, head, NIL);
    links.setPrev(order, head, block);
    zones.head[list] = block;
  }
  zones.length[list]!++;
};

/** Takes the block at `index` off the list that it is on. */
export const unlinkBlock = (k: Kernel, list: number, index: number, order: number): void => {
  const { zones } = k;
  const { links } = k.mm;
  const block = index >> order;
  const after = links.next(order, block);
  const before = links.prev(order, block);
  if (before === NIL) zones.head[list] = after;
  else links.setNext(order, before, after);
  if (after === NIL) zones.tail[list] = before;
  else links.setPrev(order, after, before);
  links.clear(order, block);
  zones.length[list]!--;
};

export const isIsolated = (k: Kernel, index: number): boolean =>
  k.mm.isolated[index >> k.geometry.pageblockOrder] !== 0;

/** Free list that a block at `index` belongs on by its zone and its pageblock's migrate type. */
const listAt = (k: Kernel, index: number, order: number): number =>
  k.zones.freeList(zoneOfIndex(k, index), order, isIsolated(k, index));

/** Whether the blocks may become one: free, of this order, and alike where they lie in two pageblocks. */
const isBuddy = (k: Kernel, index: number, buddy: number, order: number): boolean => {
  const { mm } = k;
  if (mm.use[buddy] !== (USE.FREE | order)) return false;
  const { pageblockOrder } = k.geometry;
  if (order < pageblockOrder) return true;
  const here = index >> pageblockOrder;
  const there = buddy >> pageblockOrder;
  return mm.zone[here] === mm.zone[there] && mm.isolated[here] === mm.isolated[there];
};

/**
 * Whether a block should go to the tail because its buddy one order up is free: it is likely to merge soon.
 *
 * @source Linux mm/page_alloc.c, buddy_merge_likely
 */
const mergeLikely = (k: Kernel, index: number, order: number): boolean => {
  if (order >= k.geometry.maxOrder - 1) return false;
  const higher = index & ~(1 << order);
  return isBuddy(k, higher, higher ^ (1 << (order + 1)), order + 1);
};

/** __free_one_page: counts the block, merges it with free buddies and lists what came of it. */
const freeOne = (k: Kernel, index: number, order: number, toTail: boolean): void => {
  const { mm, zones, geometry } = k;
  if (!isIsolated(k, index)) zones.free[zoneOfIndex(k, index)]! += 1 << order;
  let at = index;
  let merged = order;
  while (merged < geometry.maxOrder) {
    const buddy = at ^ (1 << merged);
    if (!isBuddy(k, at, buddy, merged)) break;
    unlinkBlock(k, listAt(k, buddy, merged), buddy, merged);
    at &= ~(1 << merged);
    merged++;
  }
  mm.setBlock(at, merged, USE.FREE);
  pushBlock(k, listAt(k, at, merged), at, merged, toTail || mergeLikely(k, at, merged));
};

/**
 * Puts a block of pages back into the buddy lists. A block wider than a pageblock goes in a pageblock at a
 * time when its pageblocks differ in migrate type, so that none is listed under the wrong one.
 *
 * @param index first page, aligned to the order @param toTail true for memory that enters for the first time
 * @source Linux mm/page_alloc.c, free_one_page, split_large_buddy, __free_one_page
 */
export const freeBlock = (k: Kernel, index: number, order: number, toTail: boolean): void => {
  const { pageblockOrder, pagesPerBlock } = k.geometry;
  const first = isIsolated(k, index);
  let alike = true;
  for (let at = index + pagesPerBlock; at < index + (1 << order); at += pagesPerBlock) {
    if (isIsolated(k, at) !== first) alike = false;
  }
  if (alike) freeOne(k, index, order, toTail);
  else {
    for (let at = index; at < index + (1 << order); at += pagesPerBlock)
      freeOne(k, at, pageblockOrder, toTail);
  }
};

/** Takes a free block off its list and out of the counters; its pages become `use`. */
export const removeFreeBlock = (k: Kernel, index: number, order: number, use: Use): void => {
  assert(
    k.mm.use[index] === (USE.FREE | order),
    () => `page index ${index} heads a free block of order ${order}`,
  );
  unlinkBlock(k, listAt(k, index, order), index, order);
  if (!isIsolated(k, index)) k.zones.free[zoneOfIndex(k, index)]! -= 1 << order;
  k.mm.setBlock(index, order, use);
};

/**
 * Takes a block of this order from the zone: the first one of the smallest order that has any, cut down; the
 * upper halves go to the heads of their lists.
 *
 * @returns page index, its pages marked `use`; NIL if the zone has no block large enough
 * @source Linux mm/page_alloc.c, __rmqueue_smallest, expand
 */
export const takeBlock = (k: Kernel, zone: number, order: number, use: Use): number => {
  const { zones, mm, geometry } = k;
  for (let found = order; found <= geometry.maxOrder; found++) {
    const list = zones.freeList(zone, found, false);
    const block = zones.head[list]!;
    if (block === NIL) continue;
    const index = block << found;
    unlinkBlock(k, list, index, found);
    for (let half = found - 1; half >= order; half--) {
      const upper = index + (1 << half);
      mm.setBlock(upper, half, USE.FREE);
      pushBlock(k, zones.freeList(zone, half, false), upper, half, false);
    }
    zones.free[zone]! -= 1 << order;
    mm.setBlock(index, order, use);
    return index;
  }
  return NIL;
};

/** Whether the zone has a free block of at least this order on its allocatable lists. */
export const hasBlock = (k: Kernel, zone: number, order: number): boolean => {
  for (let found = order; found <= k.geometry.maxOrder; found++) {
    if (k.zones.head[k.zones.freeList(zone, found, false)] !== NIL) return true;
  }
  return false;
};

/** First page of the naturally aligned block that `index` belongs to. */
export const headOf = (k: Kernel, index: number): number => {
  const order = k.mm.use[index]! & 0x0f;
  return index & ~((1 << order) - 1);
};

export const isFree = (k: Kernel, index: number): boolean => useOf(k.mm.use[index]!) === USE.FREE;
