import { assert } from "../assert.ts";
import { NotModelled } from "../not-modelled.ts";
import { PAGE_SIZE } from "../units.ts";
import { type HostMemory, NO_BLOCK } from "./host-memory.ts";
import { PageSet, UNIT_PAGES } from "./page-set.ts";

/** A memory backend stays below this: 16 TiB. */
export const BACKEND_LIMIT = 2 ** 32 * PAGE_SIZE;

/** Flags of a unit. */
const HUGE = 1;
const HAS_TABLE = 2;

/**
 * Backing of one piece of guest memory: what a RAM block and its guest_memfd are to QEMU and KVM.
 *
 * Pages are numbered from the start of the piece. Four facts of a page are independent of one another and of
 * whether its device block is plugged: the KVM attribute, shared backing, private backing, private mapping.
 *
 * @source QEMU system/physmem.c, system/ram-block-attributes.c; KVM guest_memfd and memory attributes
 * @missing backends of 16 TiB and more
 */
export class GuestMemfd {
  readonly id: string;
  readonly pages: number;
  /** Pages whose KVM attribute is private. */
  readonly isPrivate: PageSet;
  /** Pages that have a page of shared memory. */
  readonly shared: PageSet;
  /** Pages that have a page of guest_memfd. */
  readonly backed: PageSet;
  /** Pages that the secure EPT maps, at whatever level: KVM's own mirror of it. */
  readonly mapped: PageSet;
  /** By unit: host block of its guest_memfd pages + 1, or 0. */
  readonly block: Uint32Array;
  /** By unit: HUGE if one leaf of 2 MiB maps it; HAS_TABLE if none can any more, because a table is there. */
  readonly flags: Uint8Array;
  private readonly host: HostMemory;

  constructor(id: string, pages: number, host: HostMemory, startPrivate: boolean) {
    assert(pages > 0, "a piece of guest memory is not empty");
    if (pages * PAGE_SIZE >= BACKEND_LIMIT) throw new NotModelled("a memory backend of 16 TiB or more");
    this.id = id;
    this.pages = pages;
    this.host = host;
    this.isPrivate = new PageSet(pages, startPrivate);
    this.shared = new PageSet(pages);
    this.backed = new PageSet(pages);
    this.mapped = new PageSet(pages);
    this.block = new Uint32Array(Math.ceil(pages / UNIT_PAGES));
    this.flags = new Uint8Array(this.block.length);
  }

  /** A new memslot maps the piece: its attribute is uniform, and nothing is known of its mappings. */
  start(isPrivate: boolean): void {
    this.isPrivate.reset(isPrivate);
    this.flags.fill(0);
  }

  /** Host frame of a page of guest_memfd, which is allocated if need be; NO_BLOCK when the host has none. */
  allocate(page: number): number {
    const unit = page >>> 9;
    const frame = this.unitFrame(unit);
    if (frame === NO_BLOCK) return NO_BLOCK;
    this.backed.add(page);
    return frame + (page & 511);
  }

  /** The same for a whole unit: the first of its contiguous frames. */
  allocateUnit(unit: number): number {
    const frame = this.unitFrame(unit);
    if (frame !== NO_BLOCK) this.backed.addRange(unit * UNIT_PAGES, (unit + 1) * UNIT_PAGES);
    return frame;
  }

  private unitFrame(unit: number): number {
    const block = this.block[unit]!;
    if (block !== 0) return this.host.frameOf(block - 1);
    const fresh = this.host.takeBlock();
    if (fresh === NO_BLOCK) return NO_BLOCK;
    this.block[unit] = fresh + 1;
    return this.host.frameOf(fresh);
  }

  /** Host frame of a page that is backed. */
  frameOf(page: number): number {
    const block = this.block[page >>> 9]!;
    assert(block !== 0, "only a page with private backing has a host frame");
    return this.host.frameOf(block - 1) + (page & 511);
  }

  /** Gives pages [from, to) of guest_memfd back. They are not mapped any more. @returns how many there were */
  free(from: number, to: number): number {
    const freed = this.backed.removeRange(from, to);
    for (let unit = from >>> 9; unit * UNIT_PAGES < to; unit++) {
      if (this.block[unit] === 0 || !this.backed.lacksUnit(unit)) continue;
      this.host.freeBlock(this.block[unit]! - 1);
      this.block[unit] = 0;
    }
    return freed;
  }

  isHuge(unit: number): boolean {
    return (this.flags[unit]! & HUGE) !== 0;
  }

  /** One leaf of 2 MiB maps the unit now. */
  setMappedHuge(unit: number): void {
    this.flags[unit]! |= HUGE;
    this.mapped.addRange(unit * UNIT_PAGES, (unit + 1) * UNIT_PAGES);
  }

  /** A leaf of 4 KiB maps the page now; the table that holds it stays for the life of the TD. */
  setMapped(page: number): void {
    this.flags[page >>> 9]! |= HAS_TABLE;
    this.mapped.add(page);
  }

  /** The secure EPT turned out to have a table for the unit. */
  setHasTable(unit: number): void {
    this.flags[unit]! |= HAS_TABLE;
  }

  /** The table of a unit is gone with its last page, as the host's own tables go. */
  setTableGone(unit: number): void {
    this.flags[unit]! &= ~HAS_TABLE;
  }

  /** The leaf of 2 MiB became 512 of 4 KiB. */
  setSplit(unit: number): void {
    this.flags[unit] = (this.flags[unit]! & ~HUGE) | HAS_TABLE;
  }

  /** The leaf that mapped the page is gone. */
  setUnmapped(page: number): void {
    const unit = page >>> 9;
    if (!this.isHuge(unit)) this.mapped.removeRange(page, page + 1);
    else this.mapped.removeRange(unit * UNIT_PAGES, (unit + 1) * UNIT_PAGES);
    this.flags[unit]! &= ~HUGE;
  }

  /**
   * Whether a large mapping of the unit is possible: it is whole, private throughout, none of it was ever mapped
   * in small pages: their table would be in the way.
   *
   * @param offset pages by which the piece's guest address is past a multiple of 2 MiB
   */
  mayMapHuge(unit: number, offset: number): boolean {
    if (offset !== 0 || (this.flags[unit]! & (HUGE | HAS_TABLE)) !== 0) return false;
    return this.isPrivate.hasUnit(unit) && (unit + 1) * UNIT_PAGES <= this.pages;
  }

  sets(): readonly PageSet[] {
    return [this.isPrivate, this.shared, this.backed, this.mapped];
  }
}
