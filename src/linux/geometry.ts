import { assert } from "../assert.ts";

/**
 * The sizes that the guest's memory management counts in. x86-64 Linux has one set of them; a checker
 * takes a smaller one, in which the same code has fewer pages to a unit and fewer units to a block.
 *
 * @source Linux include/linux/mmzone.h, pageblock-flags.h, arch/x86/include/asm/sparsemem.h
 */
export interface Geometry {
  readonly pageShift: number;
  /** Bytes of one page. */
  readonly pageSize: number;
  /** Bytes of one bit of the unaccepted bitmap: 2 MiB on x86. */
  readonly unitSize: number;
  /** Order of the unit that migrate types and isolation work in. */
  readonly pageblockOrder: number;
  /** Largest order of the page allocator, MAX_PAGE_ORDER. */
  readonly maxOrder: number;
  /** Bytes and pages of a section, the unit in which memmap exists. */
  readonly sectionSize: number;
  readonly pagesPerSection: number;
  readonly pagesPerUnit: number;
  readonly pagesPerBlock: number;
  readonly pagesPerChunk: number;
}

export const geometry = (
  pageShift: number,
  pageblockOrder: number,
  maxOrder: number,
  sectionShift: number,
): Geometry => {
  assert(pageblockOrder <= maxOrder && maxOrder <= 15, "a pageblock is not larger than the largest chunk");
  assert(pageShift + maxOrder <= sectionShift, "a section holds whole chunks");
  const pageSize = 2 ** pageShift;
  return {
    pageShift,
    pageSize,
    unitSize: pageSize * 2 ** pageblockOrder,
    pageblockOrder,
    maxOrder,
    sectionSize: 2 ** sectionShift,
    pagesPerSection: 2 ** (sectionShift - pageShift),
    pagesPerUnit: 2 ** pageblockOrder,
    pagesPerBlock: 2 ** pageblockOrder,
    pagesPerChunk: 2 ** maxOrder,
  };
};

/** Order of the largest block that starts at `pfn` and has no more than `pages` pages, which is at least 1. */
export const largestOrder = (geometry: Geometry, pfn: number, pages: number): number => {
  const { maxOrder, pagesPerChunk } = geometry;
  const inChunk = pfn % pagesPerChunk;
  const aligned = inChunk === 0 ? maxOrder : 31 - Math.clz32(inChunk & -inChunk);
  return Math.min(aligned, 31 - Math.clz32(Math.min(pages, pagesPerChunk)));
};

/** Pages of 4 KiB, units and pageblocks of 2 MiB, chunks of 4 MiB, sections of 128 MiB. */
export const X86_64: Geometry = geometry(12, 9, 10, 27);
