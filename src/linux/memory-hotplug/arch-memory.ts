import { AGAIN } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { faultAt } from "../fault-points.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { NIL, USE } from "../mem-map.ts";
import { allocPages, freePages } from "../page-allocator/alloc.ts";

/** Bytes of struct page. */
const STRUCT_PAGE = 64;
/** Owner number of the pages that hold memmap. */
export const MEMMAP_OWNER = 0xfffe;

/**
 * Pages of memmap that a section costs: a 64th of it on x86-64. A geometry whose section has too few pages
 * to fill one with struct pages pays nothing.
 */
export const memmapPagesPerSection = (k: Kernel): number =>
  Math.floor((k.geometry.pagesPerSection * STRUCT_PAGE) / k.geometry.pageSize);

/** Order of the block that holds the memmap of one section. */
const memmapOrder = (k: Kernel): number => Math.floor(Math.log2(memmapPagesPerSection(k)));

const sectionOf = (k: Kernel, address: number): number => Math.floor(address / k.geometry.sectionSize);

/**
 * arch_remove_memory(): memmap and direct mapping of [start, start + size) bytes go, and the pages that held
 * the memmap outside the range are freed. No page of the range is on a list.
 */
export const archRemoveMemory = (k: Kernel, start: number, size: number): void => {
  for (let section = sectionOf(k, start); section < sectionOf(k, start + size); section++) {
    // A range that firmware had declared as boot memory may have parts that were never there.
    if (k.mm.indexOf(section * k.geometry.pagesPerSection) !== NIL) k.mm.removeSection(section);
    const pfn = k.blocks.memmapOf(section);
    if (pfn < 0) continue;
    freePages(k, pfn, memmapOrder(k));
    k.blocks.setMemmap(section, -1);
  }
};

const add = KERNEL_PROCEDURES.declare("arch_add_memory", {
  args: ["start", "size", "node", "altmapPages"],
  locals: ["section", "touched"],
  steps: ["map", "memmap", "allocated", "touch", "finish"],
});

/**
 * arch_add_memory(start, size, node, altmapPages): maps [start, start + size) bytes, then makes its memmap.
 *
 * The memmap of each section is allocated on the node, which may accept memory; with altmapPages it lies in
 * the first pages of the range instead and is written there at once. Then max_pfn rises.
 *
 * Returns 0, or -ENOMEM with the range unmapped again.
 *
 * @source Linux arch/x86/mm/init_64.c, mm/sparse-vmemmap.c
 * @missing page tables of the direct map; base pages for the memmap when no block of its order is free
 */
export const archAddMemory = add.define({
  map: (k, f) => {
    const { v, at } = add;
    if (k.blocks.archAddFails() || faultAt(k, "arch_add_memory") !== 0) return f.returns(ERRNO.ENOMEM);
    const first = sectionOf(k, f.get(v.start));
    const end = sectionOf(k, f.get(v.start) + f.get(v.size));
    for (let section = first; section < end; section++) {
      k.mm.addSection(section);
      k.mm.setMapped(section, true);
    }
    f.set(v.section, first);
    if (f.get(v.altmapPages) === 0) return at.memmap;
    k.mm.setPages(f.get(v.start) / k.geometry.pageSize, f.get(v.altmapPages), USE.MEMMAP);
    return at.touch;
  },
  memmap: (k, f) => {
    const { v, at } = add;
    if (memmapPagesPerSection(k) === 0) return at.finish;
    if (f.get(v.section) === sectionOf(k, f.get(v.start) + f.get(v.size))) return at.finish;
    return f.call(allocPages, at.allocated, memmapOrder(k), 0, f.get(v.node), MEMMAP_OWNER);
  },
  allocated: (k, f) => {
    const { v, at } = add;
    if (f.result < 0) {
      archRemoveMemory(k, f.get(v.start), f.get(v.size));
      return f.returns(ERRNO.ENOMEM);
    }
    k.blocks.setMemmap(f.get(v.section), f.result);
    f.set(v.section, f.get(v.section) + 1);
    return at.memmap;
  },
  touch: (k, f) => {
    const { v, at } = add;
    const left = f.get(v.altmapPages) * k.geometry.pageSize - f.get(v.touched);
    if (left <= 0) return at.finish;
    const done = k.hw.access(f.vcpu, f.get(v.start) + f.get(v.touched), left, true, false);
    if (done < 0) return AGAIN;
    f.set(v.touched, f.get(v.touched) + done);
    return at.touch;
  },
  finish: (k, f) => {
    const { v } = add;
    const { pageSize } = k.geometry;
    const first = f.get(v.start) / pageSize + f.get(v.altmapPages);
    const end = (f.get(v.start) + f.get(v.size)) / pageSize;
    k.mm.setPages(first, end - first, USE.OFFLINE);
    k.blocks.raiseMaxPfn(end);
    return f.returns(0);
  },
});
