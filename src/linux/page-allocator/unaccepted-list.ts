import { assert } from "../../assert.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { NIL, USE, type Use, useOf } from "../mem-map.ts";
import { acceptMemory } from "../unaccepted-memory.ts";
import { freeBlock, pushBlock, unlinkBlock } from "./free-lists.ts";
import { zoneOfIndex } from "./zones.ts";

/** __free_unaccepted: a whole chunk goes to its zone's list, at the tail, and counts as free from now on. */
export const listUnaccepted = (k: Kernel, index: number): void => {
  const { zones, geometry } = k;
  const zone = zoneOfIndex(k, index);
  k.mm.setBlock(index, geometry.maxOrder, USE.UNACCEPTED);
  pushBlock(k, zones.unacceptedList(zone), index, geometry.maxOrder, true);
  zones.free[zone]! += geometry.pagesPerChunk;
  zones.unaccepted[zone]! += geometry.pagesPerChunk;
};

/** Takes a chunk off the list and out of both counters: until it is freed, no counter knows it. */
const unlist = (k: Kernel, index: number, use: Use = USE.IN_TRANSIT): void => {
  const { zones, geometry } = k;
  assert(useOf(k.mm.use[index]!) === USE.UNACCEPTED, "a chunk taken off the unaccepted list is on it");
  const zone = zoneOfIndex(k, index);
  unlinkBlock(k, zones.unacceptedList(zone), index, geometry.maxOrder);
  zones.free[zone]! -= geometry.pagesPerChunk;
  zones.unaccepted[zone]! -= geometry.pagesPerChunk;
  k.mm.setBlock(index, geometry.maxOrder, use);
};

/** Takes the chunk that this page heads off the list as it is: nobody accepts it. */
export const takeUnaccepted = (k: Kernel, index: number): void => unlist(k, index, USE.UNLISTED);

/** Whether this page heads a chunk of the list. Only the head carries the mark, in the kernel too. */
export const headsUnaccepted = (k: Kernel, index: number): boolean =>
  useOf(k.mm.use[index]!) === USE.UNACCEPTED && index % k.geometry.pagesPerChunk === 0;

const one = KERNEL_PROCEDURES.declare("try_to_accept_memory_one", {
  args: ["zone"],
  locals: ["index"],
  steps: ["take", "accepted"],
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
    unlist(k, index);
    f.set(v.index, index);
    return f.call(acceptMemory, at.accepted, k.mm.pfnOf(index) * pageSize, pagesPerChunk * pageSize);
  },
  accepted: (k, f) => {
    freeBlock(k, f.get(one.v.index), k.geometry.maxOrder, true);
    return f.returns(1);
  },
});

const page = KERNEL_PROCEDURES.declare("accept_page", {
  args: ["index"],
  locals: [],
  steps: ["take", "accepted"],
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
    unlist(k, index);
    return f.call(acceptMemory, page.at.accepted, k.mm.pfnOf(index) * pageSize, pagesPerChunk * pageSize);
  },
  accepted: (k, f) => {
    freeBlock(k, f.get(page.v.index), k.geometry.maxOrder, true);
    return f.returns(1);
  },
});
