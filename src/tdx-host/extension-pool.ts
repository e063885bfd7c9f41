import { HpaList } from "../abi/tdx/hpa-list.ts";
import { HPA_LIST_ENTRIES, HPA_LIST_INFO } from "../abi/tdx/hpa-list-info.ts";
import { hfn, MIB, PAGE_SIZE } from "../units.ts";
import type { HostPolicy } from "./host-kernel.ts";
import type { HostPages } from "./host-pages.ts";

/** Bytes of the blocks that the host can make huge pages of, and that single pages taken out of them spoil. */
const PAGEBLOCK = 2 * MIB;

/** What a pool does to the host: bytes it took, and 2 MiB blocks that are no longer free whole. */
export interface PoolCost {
  readonly bytes: number;
  readonly spoiledBlocks: number;
}

/**
 * Pages that the host took out of its allocator for the module's extensions, and how many of them the module holds. Pages that
 * the module holds never come back.
 */
export class ExtensionPool {
  /** Byte addresses of the pages, in the order in which the module gets them. */
  readonly pages: readonly number[];
  /** First bytes of the blocks of 2 MiB that the pages lie in, ascending. */
  readonly blocks: readonly number[];
  readonly list: HpaList;
  readonly cost: PoolCost;
  /** Pages that the module has taken. */
  given = 0;

  private constructor(pages: readonly number[], listPage: number, cost: PoolCost) {
    this.pages = pages;
    this.blocks = [...new Set(pages.map((page) => page - (page % PAGEBLOCK)))].sort((a, b) => a - b);
    this.list = new HpaList(hfn(listPage / PAGE_SIZE));
    this.cost = cost;
  }

  /** Takes `count` pages and one for their list. Undefined, and nothing taken, if memory runs out. */
  static take(count: number, how: HostPolicy["extensionPages"], host: HostPages): ExtensionPool | undefined {
    const listPage = host.takeContiguous(1, 0);
    const before = host.freeBlocks(PAGEBLOCK);
    const pages = listPage < 0 ? [] : how === "contiguous" ? contiguous(count, host) : scattered(count, host);
    if (pages.length === count) {
      const cost = { bytes: count * PAGE_SIZE, spoiledBlocks: before - host.freeBlocks(PAGEBLOCK) };
      return new ExtensionPool(pages, listPage, cost);
    }
    for (const page of pages) host.give(page, page + PAGE_SIZE);
    if (listPage >= 0) host.give(listPage, listPage + PAGE_SIZE);
    return undefined;
  }

  get isComplete(): boolean {
    return this.given === this.pages.length;
  }

  /** Everything goes back: the module has got nothing of it. */
  giveBack(host: HostPages): void {
    for (const page of this.pages) host.give(page, page + PAGE_SIZE);
    this.freeList(host);
  }

  /** Puts the next pages, at most 512, on the list. @returns their byte addresses */
  fillList(): readonly number[] {
    const chunk = this.pages.slice(this.given, this.given + HPA_LIST_ENTRIES);
    this.list.clear();
    for (const page of chunk) this.list.push(hfn(page / PAGE_SIZE));
    return chunk;
  }

  /**
   * Counts the pages that a call took: all of the list after SUCCESS, else those before the entry that RCX names.
   *
   * @returns their byte addresses
   */
  took(rcxBefore: bigint, rcxAfter: bigint, whole: boolean): readonly number[] {
    const from = Number(HPA_LIST_INFO.decode(rcxBefore).firstEntry);
    const to = whole ? this.list.length : Number(HPA_LIST_INFO.decode(rcxAfter).firstEntry);
    const count = to - from;
    const taken = this.pages.slice(this.given, this.given + count);
    this.given += count;
    return taken;
  }

  /** The list's page goes back; the module has no use for it. */
  freeList(host: HostPages): void {
    host.give(this.list.page * PAGE_SIZE, (this.list.page + 1) * PAGE_SIZE);
  }
}

const contiguous = (count: number, host: HostPages): number[] => {
  const first = host.takeContiguous(count, 0);
  return first < 0 ? [] : Array.from({ length: count }, (_, i) => first + i * PAGE_SIZE);
};

/** The worst that single pages can do: one out of each 2 MiB block. */
const scattered = (count: number, host: HostPages): number[] => host.takeScattered(count, PAGEBLOCK);
