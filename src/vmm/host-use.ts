import { PAGE_SIZE } from "../units.ts";

/** What host memory is allocated for: the guest's pages, or tables that map them. */
export const HOST_ALLOCATION = { PAGES: 0, TABLE: 1 } as const;
export type HostAllocation = (typeof HOST_ALLOCATION)[keyof typeof HOST_ALLOCATION];

const PRIVATE = 0;
const SHARED = 1;
const PEAK = 2;

/** How much host memory the guest uses, in both planes, and how much it may use. */
export class HostUse {
  /** Private pages, shared pages, the most of both together. */
  readonly words = new Float64Array(3);
  private readonly limitPages: number;

  private readonly fails: ((what: HostAllocation) => boolean) | undefined;

  /** @param fails whether the allocation that is asked for now is to fail */
  constructor(limitBytes: number, fails?: (what: HostAllocation) => boolean) {
    this.limitPages = limitBytes / PAGE_SIZE;
    this.fails = fails;
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

  /** Whether the host can give a page for a table. */
  get hasTableRoom(): boolean {
    return this.fails?.(HOST_ALLOCATION.TABLE) !== true;
  }

  /** Pages that came into use or, negative, went out of use. */
  account(privatePages: number, sharedPages: number): void {
    const words = this.words;
    const used = (words[PRIVATE]! += privatePages) + (words[SHARED]! += sharedPages);
    if (used > words[PEAK]!) words[PEAK] = used;
  }
}
