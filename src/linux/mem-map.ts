import { assert } from "../assert.ts";
import { DirtyRanges } from "../flat/dirty-ranges.ts";
import { Spare } from "../flat/spare.ts";
import { NotModelled } from "../not-modelled.ts";
import { PAGE_SIZE } from "../units.ts";
import { BlockLinks } from "./block-links.ts";
import type { Geometry } from "./geometry.ts";
import { PageOwners } from "./page-owners.ts";

/**
 * What Linux does with a page: the high nibble of its byte. The low nibble is the order of the naturally
 * aligned block that it belongs to, so the head of a block is found by rounding down and needs no mark.
 */
export const USE = {
  /** No memory, or not given to Linux. */
  HOLE: 0x00,
  /** Taken before the page allocator existed: kernel image, firmware tables, memblock allocations. */
  RESERVED: 0x10,
  /** Holds struct pages (vmemmap, in or outside its own memory block). */
  MEMMAP: 0x20,
  /** Free, in a buddy list. */
  FREE: 0x30,
  /** On its zone's list of unaccepted chunks: free by the counters, not yet accepted. */
  UNACCEPTED: 0x40,
  /** Allocated and cannot be migrated. */
  ALLOCATED: 0x50,
  /** Allocated and can be migrated. */
  MOVABLE: 0x60,
  /** Added but not online: page type "offline", content never handed to anybody. */
  OFFLINE: 0x70,
  /** Taken out of an online block by a driver that means to unplug it (virtio-mem fake-offline). */
  FAKE_OFFLINE: 0x80,
  /** A chunk of the unaccepted list, taken off it as it is because its range is isolated. */
  UNLISTED: 0xa0,
  /** On its way from one state to the next: off every list, owned by a running procedure. */
  IN_TRANSIT: 0x90,
} as const;
export type Use = (typeof USE)[keyof typeof USE];
export const USE_NAMES: Readonly<Record<Use, string>> = Object.fromEntries(
  Object.entries(USE).map(([name, use]) => [use, name]),
) as Record<Use, string>;

export const useOf = (byte: number): Use => (byte & 0xf0) as Use;
export const orderOf = (byte: number): number => byte & 0x0f;

/** End of a list of pages. */
export const NIL = -1;

const ROOT_SECTIONS = 1024;

/** Pages with a memmap stay below this: the index of one is a 32-bit integer with a sign. */
const INDEX_LIMIT = 2 ** 31;
/** The same in bytes of guest memory: 8 TiB. */
export const MEMMAP_LIMIT = INDEX_LIMIT * PAGE_SIZE;

/**
 * The guest's memmap: one byte of use a page and the list links of free blocks, for those sections that
 * exist. A page is named by its frame number outside and by its index inside: sections get slots in the
 * order in which they appear, and index = slot * pages a section + page in the section. A block of any
 * order lies inside one section, hence buddies are index arithmetic.
 *
 * Grows by doubling; an address space of petabytes costs a directory and no more.
 *
 * @missing 8 TiB of memory and more
 */
export class MemMap {
  readonly geometry: Geometry;
  /** Use and order, by page index. */
  use: Uint8Array;
  /** The same bytes four at a time, for whoever looks at many. */
  useWords: Uint32Array;
  /** Who has an allocated page. */
  readonly owners = new PageOwners();
  /** Zone number by pageblock index (page index >> pageblockOrder); 0xff: none. */
  zone: Uint8Array;
  /** Non-zero while isolated (MIGRATE_ISOLATE), by pageblock index. */
  isolated: Uint8Array;
  /** Section number by slot; -1: the slot is free. */
  section: Float64Array;
  /** Non-zero while the section is in the direct map, by slot. */
  mapped: Uint8Array;
  /** Non-zero while a pageblock is taken out of the direct map though its section is in it, by pageblock index. */
  hidden: Uint8Array;
  /** Links of the block lists. */
  readonly links: BlockLinks;
  /** Units (guest-physical, absolute) in which some page changed its use or mapping. */
  readonly dirty = new DirtyRanges();
  /** Grows with every change of a use or a mapping, so that whoever summed something up knows when it is stale. */
  version = 0;
  private slots = 0;
  /** log2 of the pages whose blocks get room for their links together. */
  private readonly linkOrder: number;
  private readonly root: Int32Array;
  private leaf = new Int32Array(0);

  /** @param top end of the guest-physical address space that may ever hold memory, bytes */
  constructor(geometry: Geometry, top: number) {
    this.geometry = geometry;
    const sections = Math.ceil(top / geometry.sectionSize);
    this.root = new Int32Array(Math.ceil(sections / ROOT_SECTIONS)).fill(NIL);
    this.use = new Uint8Array(0);
    this.useWords = new Uint32Array(0);
    this.zone = new Uint8Array(0);
    this.isolated = new Uint8Array(0);
    this.section = new Float64Array(0);
    this.mapped = new Uint8Array(0);
    this.hidden = new Uint8Array(0);
    this.linkOrder = Math.min(Math.log2(geometry.pagesPerSection), geometry.maxOrder + 1);
    this.links = new BlockLinks(this.linkOrder, geometry.maxOrder);
  }

  /** Index of the page `pfn`, or NIL if it has no memmap. */
  indexOf(pfn: number): number {
    const per = this.geometry.pagesPerSection;
    const section = Math.floor(pfn / per);
    const slot = this.slotOf(section);
    return slot === NIL ? NIL : slot * per + (pfn - section * per);
  }

  /** Frame number of the page with this index. */
  pfnOf(index: number): number {
    const per = this.geometry.pagesPerSection;
    const slot = Math.floor(index / per);
    return this.section[slot]! * per + (index - slot * per);
  }

  /** Use of the page `pfn`; HOLE where no memmap is. */
  useAt(pfn: number): Use {
    const index = this.indexOf(pfn);
    return index === NIL ? USE.HOLE : useOf(this.use[index]!);
  }

  /** First page of [index, end) whose use differs from that of `index`, or `end`; both in one section. */
  endOfUse(index: number, end: number): number {
    const { use, useWords } = this;
    const wanted = useOf(use[index]!);
    // Four single pages a look, and a whole block where there is one.
    const four = wanted * 0x0101_0101;
    for (let at = index; at < end; ) {
      const byte = use[at]!;
      if (useOf(byte) !== wanted) return at;
      at = (at | ((1 << orderOf(byte)) - 1)) + 1;
      if ((at & 3) === 0) while (at < end && useWords[at >> 2] === four) at += 4;
    }
    return end;
  }

  /** The same by frames, all of them with a memmap; the next section is another run. */
  endOfUseAt(pfn: number, end: number): number {
    const per = this.geometry.pagesPerSection;
    const index = this.indexOf(pfn);
    const stop = Math.min(end, pfn - (pfn % per) + per);
    return pfn + this.endOfUse(index, index + stop - pfn) - index;
  }

  /** Whether the kernel's direct map covers `pfn`. */
  isMapped(pfn: number): boolean {
    const { pagesPerSection, pageblockOrder } = this.geometry;
    const slot = this.slotOf(Math.floor(pfn / pagesPerSection));
    if (slot === NIL || this.mapped[slot] === 0) return false;
    return this.hidden[(slot * pagesPerSection + (pfn % pagesPerSection)) >> pageblockOrder] === 0;
  }

  /** Takes whole pageblocks [pfn, pfn + count) out of the direct map or puts them back; those without memmap stay out. */
  setHidden(pfn: number, count: number, hidden: boolean): void {
    const { pagesPerSection, pageblockOrder } = this.geometry;
    for (let at = pfn; at < pfn + count; ) {
      const length = Math.min(pagesPerSection - (at % pagesPerSection), pfn + count - at);
      const index = this.indexOf(at);
      at += length;
      if (index === NIL) continue;
      this.hidden.fill(hidden ? 1 : 0, index >> pageblockOrder, (index + length) >> pageblockOrder);
      this.touch(index, length);
    }
  }

  /** Gives one block of 2^order pages its use. `index` is its first page and aligned to the order. */
  setBlock(index: number, order: number, use: Use): void {
    if (order === 0) this.use[index] = use;
    else this.use.fill(use | order, index, index + (1 << order));
    this.touch(index, 1 << order);
  }

  /** Gives `count` single pages from `pfn` on a use, order 0 each. All of them have a memmap. */
  setPages(pfn: number, count: number, use: Use): void {
    const per = this.geometry.pagesPerSection;
    for (let at = pfn; at < pfn + count; ) {
      const length = Math.min(per - (at % per), pfn + count - at);
      const index = this.indexOf(at);
      assert(index !== NIL, () => `page ${at} has a memmap`);
      this.use.fill(use, index, index + length);
      this.touch(index, length);
      at += length;
    }
  }

  /** Makes the memmap of section number `section` exist, all pages HOLE. No-op if it does. */
  addSection(section: number): void {
    if (this.slotOf(section) !== NIL) return;
    const rootIndex = Math.floor(section / ROOT_SECTIONS);
    assert(rootIndex < this.root.length, () => `section ${section} lies in the address space`);
    if (this.root[rootIndex] === NIL) {
      this.root[rootIndex] = this.leaf.length / ROOT_SECTIONS;
      const wider = new Int32Array(this.leaf.length + ROOT_SECTIONS).fill(NIL);
      wider.set(this.leaf);
      this.leaf = wider;
    }
    let slot = this.section.indexOf(-1);
    if (slot === NIL) {
      const most = Math.ceil(INDEX_LIMIT / this.geometry.pagesPerSection) - 1;
      this.reserve(Math.max(this.slots + 1, Math.min(this.slots * 2, most)));
      slot = this.section.indexOf(-1);
    }
    this.leaf[this.root[rootIndex]! * ROOT_SECTIONS + (section % ROOT_SECTIONS)] = slot;
    this.section[slot] = section;
  }

  /** Takes the memmap of a section away. Its pages are on no list. */
  removeSection(section: number): void {
    const slot = this.slotOf(section);
    assert(slot !== NIL, () => `section ${section} has a memmap`);
    const { pagesPerSection: per, pageblockOrder } = this.geometry;
    this.touch(slot * per, per);
    this.use.fill(USE.HOLE, slot * per, (slot + 1) * per);
    this.owners.set(slot * per, (slot + 1) * per, 0);
    const blocks = per / 2 ** pageblockOrder;
    this.zone.fill(0xff, slot * blocks, (slot + 1) * blocks);
    this.isolated.fill(0, slot * blocks, (slot + 1) * blocks);
    this.hidden.fill(0, slot * blocks, (slot + 1) * blocks);
    this.mapped[slot] = 0;
    this.section[slot] = -1;
    const leaf = this.root[Math.floor(section / ROOT_SECTIONS)]!;
    this.leaf[leaf * ROOT_SECTIONS + (section % ROOT_SECTIONS)] = NIL;
  }

  /** Puts a section into the direct map or takes it out. */
  setMapped(section: number, mapped: boolean): void {
    const slot = this.slotOf(section);
    assert(slot !== NIL, () => `section ${section} has a memmap`);
    this.mapped[slot] = mapped ? 1 : 0;
    this.touch(slot * this.geometry.pagesPerSection, this.geometry.pagesPerSection);
  }

  /** Hands its largest arrays on to the next memmap. Afterwards no page has one. */
  release(): void {
    spareUse.leave(this.use);
    this.links.release();
    this.root.fill(NIL);
    this.use = new Uint8Array(0);
    this.useWords = new Uint32Array(0);
    this.slots = 0;
  }

  /** Makes room for `slots` sections at once, so that boot memory does not grow by doubling. */
  reserve(slots: number): void {
    if (slots <= this.slots) return;
    const { pagesPerSection, pageblockOrder } = this.geometry;
    const pages = slots * pagesPerSection;
    if (pages >= INDEX_LIMIT) throw new NotModelled("a guest with 8 TiB of memory or more");
    const blocks = pages / 2 ** pageblockOrder;
    this.use = grown(this.use, spareUse.zeroes(pages));
    this.useWords = new Uint32Array(this.use.buffer, 0, pages >> 2);
    this.owners.reserve(pages);
    this.zone = grown(this.zone, new Uint8Array(blocks).fill(0xff));
    this.isolated = grown(this.isolated, new Uint8Array(blocks));
    this.section = grown(this.section, new Float64Array(slots).fill(-1));
    this.mapped = grown(this.mapped, new Uint8Array(slots));
    this.hidden = grown(this.hidden, new Uint8Array(blocks));
    this.links.reserve(pages >> this.linkOrder);
    this.slots = slots;
  }

  private slotOf(section: number): number {
    const leaf = this.root[Math.floor(section / ROOT_SECTIONS)];
    return leaf === undefined || leaf === NIL
      ? NIL
      : this.leaf[leaf * ROOT_SECTIONS + (section % ROOT_SECTIONS)]!;
  }

  private touch(index: number, count: number): void {
    const first = this.pfnOf(index);
    const { pagesPerUnit } = this.geometry;
    this.version++;
    this.dirty.add(Math.floor(first / pagesPerUnit), Math.ceil((first + count) / pagesPerUnit));
  }
}

/** What a memmap that is no longer used left. */
const spareUse = new Spare<Uint8Array>((length) => new Uint8Array(length));

const grown = <A extends Uint8Array | Float64Array>(old: A, wider: A): A => {
  wider.set(old);
  return wider;
};
