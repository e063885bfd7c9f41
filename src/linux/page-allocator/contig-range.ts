import { ERRNO } from "../errno.ts";
import { faultAt } from "../fault-points.ts";
import { largestOrder } from "../geometry.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { orderOf, USE, useOf } from "../mem-map.ts";
import { freeBlock, headOf, isFree, removeFreeBlock } from "./free-lists.ts";
import { ISOLATE, startIsolatePageRange, testPagesIsolated, undoIsolatePageRange } from "./isolation.ts";
import { migrateRange } from "./migrate.ts";

/** Frees [from, to) of a range that is owned by the caller, in the largest aligned blocks. */
const freeRun = (k: Kernel, from: number, to: number): void => {
  for (let pfn = from; pfn < to; ) {
    const order = largestOrder(k.geometry, pfn, to - pfn);
    freeBlock(k, k.mm.indexOf(pfn), order, false);
    pfn += 1 << order;
  }
};

/** Takes the free blocks that cover [start, end) and gives back what they hold beyond it. */
const takeRange = (k: Kernel, start: number, end: number): void => {
  for (let pfn = start; pfn < end; ) {
    const index = k.mm.indexOf(pfn);
    const head = headOf(k, index);
    const order = orderOf(k.mm.use[head]!);
    const first = pfn - (index - head);
    const next = first + (1 << order);
    const unlisted = useOf(k.mm.use[head]!) === USE.UNLISTED;
    if (isFree(k, head)) removeFreeBlock(k, head, order, USE.IN_TRANSIT);
    freeRun(k, first, Math.min(start, next));
    freeRun(k, Math.max(end, first), next);
    // Nobody accepted an unlisted chunk: it is handed over as memory that must not be touched.
    k.mm.setPages(pfn, Math.min(end, next) - pfn, unlisted ? USE.FAKE_OFFLINE : USE.ALLOCATED);
    pfn = next;
  }
};

const { v, at, define } = KERNEL_PROCEDURES.declare("alloc_contig_range", {
  args: ["startPfn", "n"],
  locals: [],
  steps: ["enter", "isolated", "migrated"],
});

/**
 * Allocates exactly the pages [startPfn, startPfn + n), single and not movable, moving what can be moved out of
 * their way. Returns 0; -EBUSY if some page is in use, or unaccepted without a mark; -ENOMEM.
 *
 * @source Linux mm/page_alloc.c, alloc_contig_range
 */
export const allocContigRange = define({
  enter: (k, f) => {
    const fault = faultAt(k, "alloc_contig_range");
    if (fault !== 0) return f.returns(fault);
    return f.call(startIsolatePageRange, at.isolated, f.get(v.startPfn), f.get(v.n), ISOLATE.CONTIG);
  },
  isolated: (_k, f) =>
    f.result === 0 ? f.call(migrateRange, at.migrated, f.get(v.startPfn), f.get(v.n)) : f.returns(f.result),
  migrated: (k, f) => {
    const startPfn = f.get(v.startPfn);
    const n = f.get(v.n);
    let error = f.result;
    // As in the kernel, -EBUSY of the migration is left to the test, which looks at every page.
    if (error === 0 || error === ERRNO.EBUSY) {
      error = testPagesIsolated(k, startPfn, n, ISOLATE.CONTIG) ? 0 : ERRNO.EBUSY;
    }
    if (error === 0) takeRange(k, startPfn, startPfn + n);
    undoIsolatePageRange(k, startPfn, n);
    return f.returns(error);
  },
});

/**
 * Gives back pages that allocContigRange() returned, straight to the buddy lists: nobody looks whether they
 * are accepted.
 *
 * @source Linux mm/page_alloc.c, free_contig_range
 */
export const freeContigRange = (k: Kernel, startPfn: number, n: number): void =>
  freeRun(k, startPfn, startPfn + n);
