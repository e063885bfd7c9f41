import { assert } from "../assert.ts";
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
 * structures and for shared memory, which the VMM has mapped from the same allocator. So memory that the host could not online, or
 * that a device DAX driver holds, never gets into a TD.
 *
 * @source Linux virt/kvm/guest_memfd.c; arch/x86/kvm/vmx/tdx.c; mm/shmem.c
 * @missing the VMM process itself (QEMU's heap, KVM's own structures); which page of shared memory lies in which page of the host, so
 *   that the ones given back are the ones lent last; shared memory in huge pages; a NUMA policy: node 0 comes first
 */
export class TdMemory {
  private readonly pages: HostPages;
  private readonly blocks = new Set<number>();
  private readonly frames = new Set<number>();
  /** First bytes of pages behind shared memory, in the order in which they were lent. */
  private readonly shared: number[] = [];

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

  get freePages(): number {
    return this.pages.freeBytes / PAGE_SIZE;
  }

  /** Pages for shared memory, which the allocator has, or back with the last ones if `count` is negative. */
  lendShared(count: number): void {
    for (let i = 0; i < count; i++) {
      const at = this.pages.takeBlock(PAGE_SIZE, 0);
      assert(at >= 0, "whoever lends pages has asked whether there are any");
      this.shared.push(at);
    }
    for (let i = count; i < 0; i++) {
      const at = this.shared.pop();
      assert(at !== undefined, "no more pages come back than were lent");
      this.pages.give(at, at + PAGE_SIZE);
    }
  }

  get sharedBytes(): number {
    return this.shared.length * PAGE_SIZE;
  }

  /** Private memory and what it needs: blocks, and pages of control structures. */
  get bytes(): number {
    return this.blocks.size * BLOCK + this.frames.size * PAGE_SIZE;
  }

  /** Everything that the TDX module may have got for the TD. */
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
    this.lendShared(-this.shared.length);
    this.blocks.clear();
    this.frames.clear();
  }
}
