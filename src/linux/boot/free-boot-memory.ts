import { roundUp } from "../../units.ts";
import { largestOrder } from "../geometry.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { USE } from "../mem-map.ts";
import { freePagesCore, MEMINIT } from "../page-allocator/free-core.ts";
import { freeBlock } from "../page-allocator/free-lists.ts";
import { zoneOfIndex } from "../page-allocator/zones.ts";
import { acceptMemory, rangeContainsUnacceptedMemory } from "../unaccepted-memory.ts";

const free = KERNEL_PROCEDURES.declare("memblock_free_all", {
  args: [],
  locals: ["from", "pfn", "end", "node"],
  steps: ["range", "piece"],
});

/**
 * Hands every free memblock range to the allocator, cut at natural alignment, except what deferred
 * initialisation has left for later. Returns 0.
 *
 * @source Linux mm/memblock.c, memblock_free_all, __free_pages_memory; mm/mm_init.c, memblock_free_pages
 */
export const memblockFreeAll = free.define({
  range: (k, f) => {
    const { v, at } = free;
    const { pageSize } = k.geometry;
    if (!k.memblock.nextFree(f.get(v.from))) return f.returns(0);
    f.set(v.from, k.memblock.freeEnd);
    // A page that is reserved in part is not free.
    f.set(v.pfn, Math.ceil(k.memblock.freeStart / pageSize));
    f.set(v.end, Math.floor(k.memblock.freeEnd / pageSize));
    f.set(v.node, k.memblock.freeNode);
    return at.piece;
  },
  piece: (k, f) => {
    const { v, at } = free;
    const pfn = f.get(v.pfn);
    const end = f.get(v.end);
    if (pfn >= end || pfn >= k.zones.firstDeferred[f.get(v.node)]!) return at.range;
    const order = largestOrder(k.geometry, pfn, end - pfn);
    f.set(v.pfn, pfn + (1 << order));
    return f.call(freePagesCore, at.piece, pfn, order, MEMINIT.EARLY);
  },
});

/** Frees single pages until the next one contains unaccepted memory. @returns where it stopped */
const freeSinglePages = (k: Kernel, from: number, end: number): number => {
  const { pageSize } = k.geometry;
  let pfn = from;
  for (; pfn < end; pfn++) {
    if (rangeContainsUnacceptedMemory(k, pfn * pageSize, pageSize)) break;
    const index = k.mm.indexOf(pfn);
    k.zones.managed[zoneOfIndex(k, index)]! += 1;
    k.mm.setBlock(index, 0, USE.IN_TRANSIT);
    freeBlock(k, index, 0, true);
  }
  return pfn;
};

const deferred = KERNEL_PROCEDURES.declare("deferred_init_memmap", {
  args: ["node", "part", "parts"],
  locals: ["from", "pfn", "end", "stop", "piece", "pieceEnd"],
  steps: ["enter", "range", "cut", "pages"],
});

/**
 * Deferred initialisation of one part of a node's memory: (node, part, parts). Ranges are cut at chunk
 * boundaries: a whole chunk goes in as one, a smaller piece is accepted first and freed page by page.
 * The parts of a node, and the nodes, may run at the same time. Returns 0.
 *
 * @source Linux mm/mm_init.c, deferred_init_memmap, deferred_free_pages
 * @missing the kernel's workers take the next piece when they are done with one; here each has its share
 */
export const deferredInitNode = deferred.define({
  enter: (k, f) => {
    const { v, at } = deferred;
    const { pageSize, pagesPerSection } = k.geometry;
    const first = k.zones.firstDeferred[f.get(v.node)]!;
    if (first === Number.POSITIVE_INFINITY) return f.returns(0);
    const end = roundUp(k.memblock.endOfMemory() / pageSize, pagesPerSection);
    const sections = (end - first) / pagesPerSection;
    const share = (part: number): number =>
      first + Math.floor((sections * part) / f.get(v.parts)) * pagesPerSection;
    f.set(v.from, share(f.get(v.part)) * pageSize);
    f.set(v.stop, share(f.get(v.part) + 1));
    return at.range;
  },
  range: (k, f) => {
    const { v, at } = deferred;
    const { pageSize } = k.geometry;
    const stop = f.get(v.stop);
    while (k.memblock.nextFree(f.get(v.from))) {
      f.set(v.from, k.memblock.freeEnd);
      f.set(v.pfn, Math.ceil(k.memblock.freeStart / pageSize));
      f.set(v.end, Math.min(stop, Math.floor(k.memblock.freeEnd / pageSize)));
      if (f.get(v.pfn) >= stop) return f.returns(0);
      if (k.memblock.freeNode === f.get(v.node)) return at.cut;
    }
    return f.returns(0);
  },
  cut: (k, f) => {
    const { v, at } = deferred;
    const { pagesPerChunk, maxOrder, pageSize } = k.geometry;
    const pfn = f.get(v.pfn);
    const end = Math.min(f.get(v.end), pfn - (pfn % pagesPerChunk) + pagesPerChunk);
    if (pfn >= end) return at.range;
    f.set(v.pfn, end);
    if (end - pfn === pagesPerChunk) return f.call(freePagesCore, at.cut, pfn, maxOrder, MEMINIT.EARLY);
    f.set(v.piece, pfn);
    f.set(v.pieceEnd, end);
    return f.call(acceptMemory, at.pages, pfn * pageSize, (end - pfn) * pageSize);
  },
  pages: (k, f) => {
    const { v, at } = deferred;
    const stopped = freeSinglePages(k, f.get(v.piece), f.get(v.pieceEnd));
    if (stopped === f.get(v.pieceEnd)) return at.cut;
    f.set(v.piece, stopped + 1);
    return f.call(freePagesCore, at.pages, stopped, 0, MEMINIT.EARLY);
  },
});
