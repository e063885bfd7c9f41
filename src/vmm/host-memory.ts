import { assert } from "../assert.ts";
import { clearBit, findNextClear, setBit } from "../flat/bitmap.ts";
import type { PageLender } from "./host-use.ts";
import { UNIT_PAGES } from "./page-set.ts";

/** Who has the host's memory, where the guest is not alone with it: gives and takes blocks by number, counted from `base`. */
export interface BlockLender {
  /** @returns a block, or NO_BLOCK */
  take(): number;
  give(block: number): void;
}

/** Host frames that the VMM may use for its guest, in bytes. Both are multiples of 2 MiB. */
export interface HostRange {
  readonly base: number;
  readonly size: number;
  /** Left out: all of it is the guest's, lowest block first. */
  readonly lender?: BlockLender & PageLender;
}

/** Bytes of the first bitmap: 32 GiB. */
const FIRST_BYTES = 2048;

const USED_BLOCKS = 0;
const HINT = 1;
const TABLE_FRAME = 2;
const TABLE_LEFT = 3;
const TABLE_PAGES = 4;
const KNOWN = 5;

/** No block of 2 MiB is free. */
export const NO_BLOCK = -1;

/**
 * The host's page allocator as far as the guest can tell: aligned blocks of 2 MiB, lowest first.
 *
 * A unit of guest memory gets a block of its own at its first private page, so its pages are contiguous
 * whenever a large mapping wants them to be; a unit that has one page in use still counts as one page. Single
 * frames for secure-EPT tables and control pages come from blocks of their own and are never given back, as
 * KVM keeps the tables of a running guest.
 */
export class HostMemory {
  readonly firstFrame: number;
  readonly blocks: number;
  /** One bit a block: set is taken. It grows with the blocks that were ever taken; those behind it are free. */
  private taken: Uint8Array;
  private readonly lender: BlockLender | undefined;
  /** Blocks taken, lowest that may be free, next frame for a table, how many are left with it, tables, end of use. */
  readonly words = new Float64Array(6);

  constructor(range: HostRange) {
    const unit = UNIT_PAGES * 4096;
    assert(range.base % unit === 0 && range.size % unit === 0, "host memory is whole blocks of 2 MiB");
    this.lender = range.lender;
    this.firstFrame = range.base / 4096;
    this.blocks = range.size / unit;
    this.taken = new Uint8Array(Math.min(Math.ceil(this.blocks / 8), FIRST_BYTES));
  }

  get usedBlocks(): number {
    return this.words[USED_BLOCKS]!;
  }

  /** Pages given out for tables and control structures. */
  get tablePages(): number {
    return this.words[TABLE_PAGES]!;
  }

  /** Takes the lowest free block, or the one that the host lends. @returns its number, or NO_BLOCK */
  takeBlock(): number {
    const block = this.lender === undefined ? this.lowestFree() : this.lender.take();
    if (block === NO_BLOCK) return NO_BLOCK;
    this.cover(block + 1);
    setBit(this.taken, block);
    if (block >= this.words[KNOWN]!) this.words[KNOWN] = block + 1;
    this.words[USED_BLOCKS]!++;
    return block;
  }

  private lowestFree(): number {
    const block = findNextClear(this.taken, Math.min(this.blocks, this.taken.length * 8), this.words[HINT]!);
    this.words[HINT] = block === this.blocks ? block : block + 1;
    return block === this.blocks ? NO_BLOCK : block;
  }

  private cover(blocks: number): void {
    if (blocks <= this.taken.length * 8) return;
    const bytes = Math.max(Math.ceil(blocks / 8), 2 * this.taken.length);
    const wider = new Uint8Array(Math.min(bytes, Math.ceil(this.blocks / 8)));
    wider.set(this.taken);
    this.taken = wider;
  }

  freeBlock(block: number): void {
    this.lender?.give(block);
    clearBit(this.taken, block);
    this.words[USED_BLOCKS]!--;
    if (block < this.words[HINT]!) this.words[HINT] = block;
  }

  /** First host frame of a block. */
  frameOf(block: number): number {
    return this.firstFrame + block * UNIT_PAGES;
  }

  /** Takes one frame that is never given back. @returns the frame, or NO_BLOCK */
  takeTableFrame(): number {
    if (this.words[TABLE_LEFT] === 0) {
      const block = this.takeBlock();
      if (block === NO_BLOCK) return NO_BLOCK;
      this.words[TABLE_FRAME] = this.frameOf(block);
      this.words[TABLE_LEFT] = UNIT_PAGES;
    }
    this.words[TABLE_PAGES]!++;
    this.words[TABLE_LEFT]!--;
    return this.words[TABLE_FRAME]!++;
  }

  /**
   * A frame was not used after all. One that was not taken last stays out of the allocator, as in KVM, where a vCPU keeps it for the
   * next time.
   */
  untakeTableFrame(frame: number): void {
    if (frame + 1 !== this.words[TABLE_FRAME]) return;
    this.words[TABLE_PAGES]!--;
    this.words[TABLE_LEFT]!++;
    this.words[TABLE_FRAME]!--;
  }

  /** Every byte of the state: `words` first, because it tells how many blocks were ever taken. */
  flat(): readonly Uint8Array[] {
    return [new Uint8Array(this.words.buffer), this.taken.subarray(0, Math.ceil(this.words[KNOWN]! / 8))];
  }

  /** Nothing is taken behind what `words`, just loaded, tells. */
  reserve(): void {
    this.cover(this.words[KNOWN]!);
    this.taken.fill(0, Math.ceil(this.words[KNOWN]! / 8));
  }
}
