import { assert } from "../../assert.ts";
import type { Frame, Next } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { NIL, USE, type Use, useOf } from "../mem-map.ts";
import { acceptMemory } from "../unaccepted-memory.ts";
import { freeBlock, pushBlock, unlinkBlock } from "./free-lists.ts";
import { staticBranchDec } from "./unaccepted-key.ts";
import { zoneOfIndex } from "./zones.ts";

/**
 * __free_unaccepted: a whole chunk goes to its zone's list, at the tail, and counts as free from now on.
 *
 * @returns whether it is the first there
 */
export const listUnaccepted = (k: Kernel, index: number): boolean => {
  const { zones, geometry } = k;
  const zone = zoneOfIndex(k, index);
  const first = zones.length[zones.unacceptedList(zone)] === 0;
  k.mm.setBlock(index, geometry.maxOrder, USE.UNACCEPTED);
  pushBlock(k, zones.unacceptedList(zone), index, geometry.maxOrder, true);
  zones.free[zone]! += geometry.pagesPerChunk;
  zones.unaccepted[zone]! += geometry.pagesPerChunk;
  return first;
};

/**
 * Takes a chunk off the list and out of both counters: until it is freed, no counter knows it.
 *
 * @returns whether it was the last
 */
const unlist = (k: Kernel, index: number, use: Use = USE.IN_TRANSIT): boolean => {
  const { zones, geometry } = k;
  assert(useOf(k.mm.use[index]!) === USE.UNACCEPTED, "a chunk taken off the unaccepted list is on it");
  const zone = zoneOfIndex(k, index);
  unlinkBlock(k, zones.unacceptedList(zone), index, geometry.maxOrder);
  zones.free[zone]! -= geometry.pagesPerChunk;
  zones.unaccepted[zone]! -= geometry.pagesPerChunk;
  k.mm.setBlock(index, geometry.maxOrder, use);
  return zones.length[zones.unacceptedList(zone)] === 0;
};

/** __accept_page: frees a chunk that was accepted, and then counts its zone no longer if it was the last there. */
const freeAccepted = (k: Kernel, f: Frame<Kernel>, index: number, last: number, counted: number): Next => {
  freeBlock(k, index, k.geometry.maxOrder, true);
  return last !== 0 ? f.call(staticBranchDec, counted) : f.returns(1);
};

/** Whether a static key has to hear that a chunk was the last of its zone: 1 or 0. */
const isCounted = (k: Kernel, last: boolean): number => (last && k.variant.countsZonesByKey ? 1 : 0);

/** Takes the chunk that this page heads off the list as it is: nobody accepts it. */
export const takeUnaccepted = (k: Kernel, index: number): boolean => unlist(k, index, USE.UNLISTED);

/** Whether this page heads a chunk of the list. Only the head carries the mark, in the kernel too. */
export const headsUnaccepted = (k: Kernel, index: number): boolean =>
  useOf(k.mm.use[index]!) === USE.UNACCEPTED && index % k.geometry.pagesPerChunk === 0;

const one = KERNEL_PROCEDURES.declare("try_to_accept_memory_one", {
  args: ["zone"],
  locals: ["index", "last"],
  steps: ["take", "accepted", "counted"],
});

/**
 * Accepts the oldest chunk of a zone's list and frees it to the tail of the buddy list. zone: zone number.
 * Returns 1, or 0 if the list was empty. The zone lock is not held while the chunk is accepted.
 *
 * @source Linux mm/page_alloc.c, try_to_accept_memory_one, __accept_page
 */
export const acceptOneChunk = one.define({
  take: (k, f) => {
    const { v, at } = one;
    const { maxOrder, pageSize, pagesPerChunk } = k.geometry;
    const block = k.zones.head[k.zones.unacceptedList(f.get(v.zone))]!;
    if (block === NIL) return f.returns(0);
    const index = block * 2 ** maxOrder;
    f.set(v.last, isCounted(k, unlist(k, index)));
    f.set(v.index, index);
    return f.call(acceptMemory, at.accepted, k.mm.pfnOf(index) * pageSize, pagesPerChunk * pageSize);
  },
  accepted: (k, f) => freeAccepted(k, f, f.get(one.v.index), f.get(one.v.last), one.at.counted),
  counted: (_k, f) => f.returns(1),
});

const page = KERNEL_PROCEDURES.declare("accept_page", {
  args: ["index"],
  locals: ["last"],
  steps: ["take", "accepted", "counted"],
});

/**
 * accept_page: accepts the chunk that the page with this index heads, wherever in the list it stands.
 * Returns 1, or 0 if the page heads no listed chunk (somebody else was faster).
 *
 * @source Linux mm/page_alloc.c, accept_page
 */
export const acceptPage = page.define({
  take: (k, f) => {
    const index = f.get(page.v.index);
    const { pageSize, pagesPerChunk } = k.geometry;
    if (!headsUnaccepted(k, index)) return f.returns(0);
    f.set(page.v.last, isCounted(k, unlist(k, index)));
    return f.call(acceptMemory, page.at.accepted, k.mm.pfnOf(index) * pageSize, pagesPerChunk * pageSize);
  },
  accepted: (k, f) => freeAccepted(k, f, f.get(page.v.index), f.get(page.v.last), page.at.counted),
  counted: (_k, f) => f.returns(1),
});
