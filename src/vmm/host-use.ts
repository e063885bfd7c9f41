import { PAGE_SIZE } from "../units.ts";

/** What host memory is allocated for: the guest's pages, or tables that map them. */
export const HOST_ALLOCATION = { PAGES: 0, TABLE: 1 } as const;
export type HostAllocation = (typeof HOST_ALLOCATION)[keyof typeof HOST_ALLOCATION];

/** Who has the host's memory: lends the pages that back shared memory of the guest. */
export interface PageLender {
  /** Pages of 4 KiB that it has left. */
  readonly freePages: number;
  /** Lends so many pages, which it has, or takes them back if `count` is negative. */
  lendShared(count: number): void;
}

const PRIVATE = 0;
const SHARED = 1;
const PEAK = 2;

/** How much host memory the guest uses, in both planes, and how much it may use. */
export class HostUse {
  /** Private pages, shared pages, the most of both together. */
  readonly words = new Float64Array(3);
  private readonly limitPages: number;

  private readonly fails: ((what: HostAllocation) => boolean) | undefined;
  private readonly lender: PageLender | undefined;

  /**
   * @param fails whether the allocation that is asked for now is to fail
   * @param lender of the pages behind shared memory, where the guest is not alone with the host; private ones come from `HostMemory`
   */
  constructor(limitBytes: number, fails?: (what: HostAllocation) => boolean, lender?: PageLender) {
    this.limitPages = limitBytes / PAGE_SIZE;
    this.fails = fails;
    this.lender = lender;
  }

  /** Bytes of guest_memfd in use. */
  get privateBytes(): number {
    return this.words[PRIVATE]! * PAGE_SIZE;
  }

  /** Bytes of shared memory in use. */
  get sharedBytes(): number {
    return this.words[SHARED]! * PAGE_SIZE;
  }

  /** Most bytes that both planes ever used together. */
  get peakBytes(): number {
    return this.words[PEAK]! * PAGE_SIZE;
  }

  /** Whether the host can give this many pages more, which whoever asks is about to take. */
  hasRoom(pages: number): boolean {
    if (this.fails?.(HOST_ALLOCATION.PAGES) === true) return false;
    return this.words[PRIVATE]! + this.words[SHARED]! + pages <= this.limitPages;
  }

  /** The same for pages of shared memory. */
  hasSharedRoom(pages: number): boolean {
    return this.hasRoom(pages) && (this.lender === undefined || pages <= this.lender.freePages);
  }

  /** Whether the host can give a page for a table. */
  get hasTableRoom(): boolean {
    return this.fails?.(HOST_ALLOCATION.TABLE) !== true;
  }

  /** Pages that came into use or, negative, went out of use. */
  account(privatePages: number, sharedPages: number): void {
    const words = this.words;
    if (sharedPages !== 0) this.lender?.lendShared(sharedPages);
    const used = (words[PRIVATE]! += privatePages) + (words[SHARED]! += sharedPages);
    if (used > words[PEAK]!) words[PEAK] = used;
  }
}
