import { PAGE_TYPE } from "../abi/tdx/td-state.ts";
import { assert } from "../assert.ts";
import { type Flat, type FlatRange, range } from "../flat/flat-range.ts";
import { capacityFor, grown8, grown16, grown32 } from "../flat/growth.ts";
import { COVERED, RESERVED, type Tdmr, TdmrList } from "./tdmr.ts";

const NDA = PAGE_TYPE.NDA;
const RSVD = PAGE_TYPE.RSVD;
const REG = PAGE_TYPE.REG;

/** Size classes of a page, and of the entry that describes it. */
export const SIZE_4K = 0;
export const SIZE_2M = 1;
export const SIZE_1G = 2;

/** `typeAt` answers this when the frame is described by an entry of another size than asked. */
export const OTHER_SIZE = 0xff;
/** Owner of a page that belongs to no TD. */
export const NO_OWNER = 0;
/** Page that the module's extensions hold for good. No source tells its type; this is a number of ours. */
export const EXT_POOL = 0x80;

const BLOCKS = 0;
const USED = 1;
const FREE_HEAD = 2;

/**
 * Physical address metadata: what each host frame is, and whose.
 *
 * As in hardware a page is described by one entry of its own size: look at 1 GiB first, then 2 MiB, then
 * 4 KiB. Entries of 4 KiB exist only for 2 MiB blocks that have a 4 KiB page in use; the arrays grow by
 * doubling, so a host of terabytes costs what is used.
 *
 * An owner is the number of a TD plus one. BEPOCH is kept in 32 bits, which are 4 billion TRACKs.
 *
 * @source TDX module 1.5.25, PAMT
 * @missing the stale owner that the metadata of a freed page keeps
 */
export class Pamt implements Flat {
  readonly tdmrs: TdmrList;
  /** First 2 MiB block (and a multiple of 1 GiB) that the arrays describe. */
  private readonly firstBlock: number;
  /** Blocks known, chunks used, head of the free chunks (1-based). */
  readonly words = new Uint32Array(3);
  /** By 1 GiB: 1 if one REG page. Owner and BEPOCH are in the entry of its first block. */
  private gig: Uint8Array = new Uint8Array(1);
  private type: Uint8Array = new Uint8Array(64);
  private owner: Uint16Array = new Uint16Array(64);
  private bepoch: Uint32Array = new Uint32Array(64);
  /** Chunk of 4 KiB entries plus one, 0 for none; and how many of them are not NDA. */
  private chunk: Uint32Array = new Uint32Array(64);
  private inUse: Uint16Array = new Uint16Array(64);
  private type4k: Uint8Array = new Uint8Array(0);
  private owner4k: Uint16Array = new Uint16Array(0);
  private bepoch4k: Uint32Array = new Uint32Array(0);

  constructor(tdmrs: readonly Tdmr[], configured = true) {
    this.tdmrs = new TdmrList(tdmrs, configured);
    this.firstBlock = Math.floor(this.tdmrs.firstFrame / 512);
  }

  /** Size class of the entry that describes a frame; a free frame counts as 4 KiB. */
  sizeAt(frame: number): number {
    const block = (frame >>> 9) - this.firstBlock;
    if (block >= this.type.length) return SIZE_4K;
    if (this.gig[block >>> 9] !== 0) return SIZE_1G;
    return this.type[block] === NDA ? SIZE_4K : SIZE_2M;
  }

  /** Type of the page at a COVERED or RESERVED frame if its entry has size class `size`, else OTHER_SIZE. */
  typeAt(frame: number, size: number): number {
    if (size === SIZE_4K) return this.tdmrs.kindOf(frame) === RESERVED ? RSVD : this.type4K(frame);
    const block = (frame >>> 9) - this.firstBlock;
    if (block >= this.type.length) return NDA;
    if (this.gig[block >>> 9] !== 0) return size === SIZE_1G ? REG : OTHER_SIZE;
    return size === SIZE_1G ? NDA : this.type[block]!;
  }

  /** Type of the page at a COVERED frame if it is described by a 4 KiB entry, else OTHER_SIZE. */
  type4K(frame: number): number {
    const block = (frame >>> 9) - this.firstBlock;
    if (block >= this.type.length) return NDA;
    const chunk = this.chunk[block]!;
    if (chunk !== 0) return this.type4k[((chunk - 1) << 9) | (frame & 511)]!;
    return (this.gig[block >>> 9]! | this.type[block]!) === 0 ? NDA : OTHER_SIZE;
  }

  /** Whether the 2 MiB block that starts at `frame` is free at 2 MiB and in each 4 KiB frame, and not reserved. */
  isBlockFree(frame: number): boolean {
    const block = (frame >>> 9) - this.firstBlock;
    if (!this.tdmrs.coversWhole(frame, 512)) return false;
    if (block >= this.type.length) return true;
    return this.gig[block >>> 9] === 0 && this.type[block] === NDA && this.inUse[block] === 0;
  }

  /** Whether any 4 KiB page in the 2 MiB block of a frame is in use. */
  usesSmallPages(frame: number): boolean {
    const block = (frame >>> 9) - this.firstBlock;
    return block < this.inUse.length && this.inUse[block] !== 0;
  }

  /** Owner of the page at `frame` whose entry has size class `size`. */
  ownerAt(frame: number, size: number): number {
    const block = (frame >>> 9) - this.firstBlock;
    if (block >= this.type.length) return NO_OWNER;
    if (size !== SIZE_4K) return this.owner[size === SIZE_1G ? block & ~511 : block]!;
    const chunk = this.chunk[block]!;
    return chunk === 0 ? NO_OWNER : this.owner4k[((chunk - 1) << 9) | (frame & 511)]!;
  }

  /** TD_EPOCH at which the page was blocked last. */
  bepochAt(frame: number, size: number): number {
    const block = (frame >>> 9) - this.firstBlock;
    if (block >= this.type.length) return 0;
    if (size !== SIZE_4K) return this.bepoch[size === SIZE_1G ? block & ~511 : block]!;
    const chunk = this.chunk[block]!;
    return chunk === 0 ? 0 : this.bepoch4k[((chunk - 1) << 9) | (frame & 511)]!;
  }

  setBepoch(frame: number, size: number, epoch: number): void {
    const block = (frame >>> 9) - this.firstBlock;
    if (size !== SIZE_4K) this.bepoch[size === SIZE_1G ? block & ~511 : block] = epoch;
    else this.bepoch4k[((this.chunk[block]! - 1) << 9) | (frame & 511)] = epoch;
  }

  /** Gives a free page of size class `size` to `owner`, BEPOCH 0. The caller has checked that it is free. */
  take(frame: number, size: number, type: number, owner: number): void {
    const block = (frame >>> 9) - this.firstBlock;
    if (block >= this.type.length) this.growBlocks(block + 1);
    if (block >= this.words[BLOCKS]!) this.words[BLOCKS] = block + 1;
    if (size === SIZE_2M) {
      this.type[block] = type;
      this.owner[block] = owner;
      this.bepoch[block] = 0;
      return;
    }
    assert(size === SIZE_4K, "only pages of 4 KiB and 2 MiB are given out");
    if (this.chunk[block] === 0) this.giveChunk(block);
    const at = ((this.chunk[block]! - 1) << 9) | (frame & 511);
    this.type4k[at] = type;
    this.owner4k[at] = owner;
    this.bepoch4k[at] = 0;
    this.inUse[block]!++;
  }

  /** Makes a page of size class `size` free again. */
  free(frame: number, size: number): void {
    const block = (frame >>> 9) - this.firstBlock;
    if (size === SIZE_4K) this.free4k(block, frame & 511);
    else {
      if (size === SIZE_1G) this.gig[block >>> 9] = 0;
      this.type[block] = NDA;
      this.owner[block] = NO_OWNER;
      this.bepoch[block] = 0;
    }
  }

  private free4k(block: number, index: number): void {
    const at = ((this.chunk[block]! - 1) << 9) | index;
    this.type4k[at] = NDA;
    this.owner4k[at] = NO_OWNER;
    this.bepoch4k[at] = 0;
    if (--this.inUse[block]! === 0) this.freeChunk(block);
  }

  /** 4 KiB pages in use in the 2 MiB block of a frame. */
  usedIn(frame: number): number {
    const block = (frame >>> 9) - this.firstBlock;
    return block < this.inUse.length ? this.inUse[block]! : 0;
  }

  /** Makes 4 KiB pages free again that lie in one 2 MiB block, of which some stay in use. */
  freeRun(frame: number, pages: number): void {
    const block = (frame >>> 9) - this.firstBlock;
    assert(pages < this.inUse[block]!, "pages of the block stay in use");
    const at = ((this.chunk[block]! - 1) << 9) | (frame & 511);
    this.type4k.fill(NDA, at, at + pages);
    this.owner4k.fill(NO_OWNER, at, at + pages);
    this.bepoch4k.fill(0, at, at + pages);
    this.inUse[block]! -= pages;
  }

  /** Splits the entry of a REG page into 512 entries of the next smaller size, same owner, BEPOCH 0. */
  split(frame: number, size: number): void {
    const block = (frame >>> 9) - this.firstBlock;
    const owner = this.owner[block]!;
    this.free(frame, size);
    if (size === SIZE_1G) for (let i = 0; i < 512; i++) this.take(frame + i * 512, SIZE_2M, REG, owner);
    else this.takeWhole(block, owner);
  }

  /** Gives the 512 pages of 4 KiB of a free block to `owner`. */
  private takeWhole(block: number, owner: number): void {
    this.giveChunk(block);
    const at = (this.chunk[block]! - 1) << 9;
    this.type4k.fill(REG, at, at + 512);
    this.owner4k.fill(owner, at, at + 512);
    this.bepoch4k.fill(0, at, at + 512);
    this.inUse[block] = 512;
  }

  /** Merges 512 entries of REG pages, which the caller has checked, into one of size class `size`, BEPOCH 0. */
  merge(frame: number, size: number): void {
    const block = (frame >>> 9) - this.firstBlock;
    const owner = this.ownerAt(frame, size - 1);
    if (size === SIZE_1G) for (let i = 0; i < 512; i++) this.free(frame + i * 512, SIZE_2M);
    else for (let i = 0; i < 512; i++) this.free4k(block, i);
    if (size === SIZE_1G) this.gig[block >>> 9] = 1;
    this.type[block] = REG;
    this.owner[block] = owner;
  }

  private giveChunk(block: number): void {
    let chunk = this.words[FREE_HEAD]! - 1;
    if (chunk >= 0) this.words[FREE_HEAD] = this.bepoch4k[chunk << 9]!;
    else {
      chunk = this.words[USED]!;
      if (chunk << 9 === this.type4k.length) this.growChunks(chunk + 1);
      this.words[USED] = chunk + 1;
    }
    this.bepoch4k[chunk << 9] = 0;
    this.chunk[block] = chunk + 1;
  }

  /** A free chunk is all NDA; the first BEPOCH links the list. */
  private freeChunk(block: number): void {
    const chunk = this.chunk[block]! - 1;
    this.bepoch4k[chunk << 9] = this.words[FREE_HEAD]!;
    this.words[FREE_HEAD] = chunk + 1;
    this.chunk[block] = 0;
  }

  private growBlocks(needed: number): void {
    const blocks = capacityFor(this.type.length, needed);
    this.gig = grown8(this.gig, Math.ceil(blocks / 512));
    this.type = grown8(this.type, blocks);
    this.owner = grown16(this.owner, blocks);
    this.bepoch = grown32(this.bepoch, blocks);
    this.chunk = grown32(this.chunk, blocks);
    this.inUse = grown16(this.inUse, blocks);
  }

  private growChunks(needed: number): void {
    const chunks = capacityFor(Math.max(this.type4k.length >>> 9, 4), needed);
    this.type4k = grown8(this.type4k, chunks << 9);
    this.owner4k = grown16(this.owner4k, chunks << 9);
    this.bepoch4k = grown32(this.bepoch4k, chunks << 9);
  }

  /** Whether the module covers a frame: COVERED, RESERVED or OUTSIDE of every TDMR. */
  kindOf(frame: number): number {
    return this.tdmrs.kindOf(frame);
  }
  isCovered(frame: number): boolean {
    return this.tdmrs.kindOf(frame) === COVERED;
  }

  flat(): readonly FlatRange[] {
    const blocks = this.words[BLOCKS]!;
    const entries = this.words[USED]! << 9;
    return [
      range(this.words, 3),
      range(this.gig, Math.ceil(blocks / 512)),
      range(this.type, blocks),
      range(this.owner, blocks),
      range(this.bepoch, blocks),
      range(this.chunk, blocks),
      range(this.inUse, blocks),
      range(this.type4k, entries),
      range(this.owner4k, entries),
      range(this.bepoch4k, entries),
    ];
  }

  reserve(): void {
    const blocks = this.words[BLOCKS]!;
    const chunks = this.words[USED]!;
    if (blocks > this.type.length) this.growBlocks(blocks);
    if (chunks << 9 > this.type4k.length) this.growChunks(chunks);
    this.gig.fill(0, Math.ceil(blocks / 512));
    for (const array of [this.type, this.owner, this.bepoch, this.chunk, this.inUse]) array.fill(0, blocks);
    for (const array of [this.type4k, this.owner4k, this.bepoch4k]) array.fill(0, chunks << 9);
  }
}
