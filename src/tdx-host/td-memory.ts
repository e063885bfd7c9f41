import { MIB, PAGE_SIZE } from "../units.ts";
import type { HostPages } from "./host-pages.ts";

const BLOCK = 2 * MIB;

/** Frames that a TD has of its host, in a row. */
export interface FrameRun {
  readonly first: number;
  readonly count: number;
}

/**
 * What a TD has of this host's memory: blocks of 2 MiB for guest_memfd and for tables of the secure EPT, single pages for control
 * structures. All of it comes from the page allocator, so memory that the host could not online, or that a device DAX driver
 * holds, never gets into a TD.
 *
 * @source Linux virt/kvm/guest_memfd.c; arch/x86/kvm/vmx/tdx.c
 * @missing the VMM's own memory, shared memory of the guest among it; a NUMA policy: node 0 comes first
 */
export class TdMemory {
  private readonly pages: HostPages;
  private readonly blocks = new Set<number>();
  private readonly frames = new Set<number>();

  constructor(pages: HostPages) {
    this.pages = pages;
  }

  /** Takes a block. @returns its number, counted from address 0, or -1 */
  take(): number {
    const at = this.pages.takeBlock(BLOCK, 0);
    if (at < 0) return -1;
    this.blocks.add(at / BLOCK);
    return at / BLOCK;
  }

  /** Gives a block back. */
  give(block: number): void {
    this.blocks.delete(block);
    this.pages.give(block * BLOCK, (block + 1) * BLOCK);
  }

  /** Takes a page for a control structure. @returns its frame, or -1 */
  takeFrame(): number {
    const at = this.pages.takeBlock(PAGE_SIZE, 0);
    if (at < 0) return -1;
    this.frames.add(at / PAGE_SIZE);
    return at / PAGE_SIZE;
  }

  /** Gives such a page back. */
  giveFrame(frame: number): void {
    this.frames.delete(frame);
    this.pages.give(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
  }

  get bytes(): number {
    return this.blocks.size * BLOCK + this.frames.size * PAGE_SIZE;
  }

  /** Everything that the TD has. */
  runs(): FrameRun[] {
    const count = BLOCK / PAGE_SIZE;
    return [
      ...[...this.blocks].map((block) => ({ first: block * count, count })),
      ...[...this.frames].map((first) => ({ first, count: 1 })),
    ];
  }

  /** Gives everything back. */
  giveAll(): void {
    for (const { first, count } of this.runs())
      this.pages.give(first * PAGE_SIZE, (first + count) * PAGE_SIZE);
    this.blocks.clear();
    this.frames.clear();
  }
}
