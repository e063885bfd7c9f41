import { assert } from "../../assert.ts";
import { type Frame, type Next, RETURN } from "../../flat/procedure.ts";
import { faultAt } from "../fault-points.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { NIL, orderOf, USE, type Use, useOf } from "../mem-map.ts";
import { condAcceptMemory, pagesToAccept } from "./cond-accept.ts";
import { freeBlock, takeBlock } from "./free-lists.ts";
import { GFP, highestZone } from "./gfp.ts";
import { WMARK, zoneWatermarkOk } from "./watermarks.ts";
import { zoneNumber, zoneOfIndex } from "./zones.ts";

/**
 * Zone number at a place of the zonelist: the node's zones from the highest allowed one down, then those of
 * the other nodes in the order of their numbers, wrapping around. -1 behind the end.
 */
export const zonelistAt = (k: Kernel, place: number, node: number, flags: number): number => {
  const depth = highestZone(flags) + 1;
  if ((flags & GFP.THIS_ZONE_ONLY) !== 0 && place >= 1) return -1;
  const hop = Math.floor(place / depth);
  if (hop >= ((flags & GFP.THIS_NODE) !== 0 ? 1 : k.zones.nodes)) return -1;
  return zoneNumber((node + hop) % k.zones.nodes, depth - 1 - (place % depth));
};

/**
 * Marks a block as allocated. Movable pages are in pieces of a pageblock at most, as pages on the kernel's
 * LRU lists are, so that a part of them can be migrated.
 */
const claim = (k: Kernel, index: number, order: number, flags: number, owner: number): void => {
  k.mm.owners.set(index, index + (1 << order), owner);
  if (useFor(flags) === USE.MOVABLE) spread(k, index, order);
};

const spread = (k: Kernel, index: number, order: number): void => {
  const { mm, zones, geometry } = k;
  zones.movable[zoneOfIndex(k, index)]! += 1 << order;
  if (order <= geometry.pageblockOrder) return;
  for (let at = index; at < index + (1 << order); at += geometry.pagesPerBlock) {
    mm.setBlock(at, geometry.pageblockOrder, USE.MOVABLE);
  }
};

const useFor = (flags: number): Use =>
  (flags & (GFP.MOVABLE | GFP.NOT_ON_LRU)) === GFP.MOVABLE ? USE.MOVABLE : USE.ALLOCATED;

/**
 * Pages that were allocated with NOT_ON_LRU can be migrated from now on: 2^order of them from `pfn` on.
 *
 * @source Linux mm/swap.c, folio_add_lru
 */
export const putOnLru = (k: Kernel, pfn: number, order: number): void => {
  const index = k.mm.indexOf(pfn);
  k.mm.setBlock(index, order, USE.MOVABLE);
  spread(k, index, order);
};

const { v, at, define } = KERNEL_PROCEDURES.declare("__alloc_pages", {
  args: ["order", "flags", "node", "owner"],
  locals: ["wmark", "place", "zone"],
  steps: ["enter", "zone", "check", "retry", "again"],
});

/** Takes a block from the frame's zone if it can. @returns RETURN with the pfn set, or -5: none there */
const NONE_THERE = -5;
const grab = (k: Kernel, f: Frame<Kernel>): Next => {
  const zone = f.get(v.zone);
  const order = f.get(v.order);
  const flags = f.get(v.flags);
  const index = takeBlock(k, zone, order, useFor(flags));
  if (index === NIL) return NONE_THERE;
  claim(k, index, order, flags, f.get(v.owner));
  k.zones.observer?.takes(f.task, zone, flags);
  return f.returns(k.mm.pfnOf(index));
};

/** After the watermark check failed, or a grab did: accepts and tries again, or goes to the next zone. */
const acceptThen = (k: Kernel, f: Frame<Kernel>, then: number): Next => {
  const zone = f.get(v.zone);
  const order = f.get(v.order);
  const flags = f.get(v.flags);
  if (pagesToAccept(k, zone, order, flags) > 0) return f.call(condAcceptMemory, then, zone, order, flags);
  f.set(v.place, f.get(v.place) + 1);
  return at.zone;
};

const check = (k: Kernel, f: Frame<Kernel>): Next => {
  const flags = f.get(v.flags);
  const fits = zoneWatermarkOk(k, f.get(v.zone), f.get(v.order), f.get(v.wmark), highestZone(flags), flags);
  if (!fits) return acceptThen(k, f, at.retry);
  const next = grab(k, f);
  return next === RETURN ? RETURN : acceptThen(k, f, at.retry);
};

/**
 * Allocates 2^order pages: (order, flags of GFP, preferred node, owner). Returns the first frame, or -1 when
 * every allowed zone would fall below its min watermark with its unaccepted list empty.
 *
 * Each zone of the zonelist is tried with the low watermark, then each with min. A zone accepts memory
 * before its watermark check, after a failed check, and after a failed grab.
 *
 * @source Linux mm/page_alloc.c, get_page_from_freelist, __alloc_pages_slowpath
 * @missing reclaim, compaction, the OOM killer (the allocation fails instead), per-cpu lists, deferred_grow_zone,
 *   node distances, cpusets
 */
export const allocPages = define({
  enter: (k, f) => {
    if (k.faults !== undefined && faultAt(k, "alloc_pages") !== 0) return f.returns(-1);
    f.set(v.wmark, WMARK.LOW);
    return at.zone;
  },
  zone: (k, f) => {
    const flags = f.get(v.flags);
    const order = f.get(v.order);
    for (;;) {
      const zone = zonelistAt(k, f.get(v.place), f.get(v.node), flags);
      if (zone < 0) return at.again;
      f.set(v.zone, zone);
      if (k.zones.managed[zone]! > 0) break;
      f.set(v.place, f.get(v.place) + 1);
    }
    const zone = f.get(v.zone);
    k.zones.observer?.counts(f.task, zone);
    if (pagesToAccept(k, zone, order, flags) > 0) {
      return f.call(condAcceptMemory, at.check, zone, order, flags);
    }
    return check(k, f);
  },
  check,
  retry: (k, f) => {
    if (f.result === 0) {
      f.set(v.place, f.get(v.place) + 1);
      return at.zone;
    }
    const next = grab(k, f);
    return next === RETURN ? RETURN : acceptThen(k, f, at.retry);
  },
  again: (_k, f) => {
    if (f.get(v.wmark) === WMARK.MIN) return f.returns(-1);
    f.set(v.wmark, WMARK.MIN);
    f.set(v.place, 0);
    return at.zone;
  },
});

/** Frees the block that starts at `index`, which is allocated. @returns its pages */
const freePiece = (k: Kernel, index: number): number => {
  const use = useOf(k.mm.use[index]!);
  const order = orderOf(k.mm.use[index]!);
  assert(use === USE.ALLOCATED || use === USE.MOVABLE, () => `page index ${index} is allocated`);
  assert(index % (1 << order) === 0, () => `page index ${index} heads its block`);
  if (use === USE.MOVABLE) k.zones.movable[zoneOfIndex(k, index)]! -= 1 << order;
  k.mm.owners.set(index, index + (1 << order), 0);
  freeBlock(k, index, order, false);
  return 1 << order;
};

/**
 * Gives 2^order pages back that were allocated together, or in pieces that make them up. Movable pages may
 * have moved since: who has them finds them by their owner.
 *
 * @source Linux mm/page_alloc.c, __free_pages
 */
export const freePages = (k: Kernel, pfn: number, order: number): void => {
  const index = k.mm.indexOf(pfn);
  assert(index !== NIL, () => `page ${pfn} has a memmap`);
  for (let freed = 0; freed < 1 << order; ) freed += freePiece(k, index + freed);
};
