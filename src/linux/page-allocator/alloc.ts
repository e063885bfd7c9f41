import { assert } from "../../assert.ts";
import { type Frame, type Next, RETURN } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { NIL, orderOf, USE, useOf } from "../mem-map.ts";
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

/** Marks a block as allocated: its use by the flags, its owner on every page. */
const claim = (k: Kernel, index: number, order: number, owner: number): void => {
  k.mm.owner.fill(owner, index, index + 2 ** order);
};

const useFor = (flags: number) => ((flags & GFP.MOVABLE) !== 0 ? USE.MOVABLE : USE.ALLOCATED);

const count = (k: Kernel, zone: number, flags: number, pages: number): void => {
  const counter = (flags & GFP.MOVABLE) !== 0 ? k.zones.movable : k.zones.unmovable;
  counter[zone]! += pages;
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
  claim(k, index, order, f.get(v.owner));
  count(k, zone, flags, 2 ** order);
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
  enter: (_k, f) => {
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

/**
 * Gives an allocated block back.
 *
 * @param pfn first frame of the block that allocPages() returned, or of one page of a bulk allocation
 * @source Linux mm/page_alloc.c, __free_pages
 */
export const freePages = (k: Kernel, pfn: number, order: number): void => {
  const index = k.mm.indexOf(pfn);
  assert(index !== NIL, `page ${pfn} has a memmap`);
  const use = useOf(k.mm.use[index]!);
  assert(use === USE.ALLOCATED || use === USE.MOVABLE, `page ${pfn} is allocated`);
  assert(orderOf(k.mm.use[index]!) === order, `page ${pfn} was allocated with order ${order}`);
  count(k, zoneOfIndex(k, index), use === USE.MOVABLE ? GFP.MOVABLE : 0, -(2 ** order));
  k.mm.owner.fill(0, index, index + 2 ** order);
  freeBlock(k, index, order, false);
};
