import { TDH } from "../abi/tdx/leaves.ts";
import { getNumber, newRegs, R8, RAX, RCX, RDX, type Regs, setNumber } from "../abi/tdx/regs.ts";
import { type Status, status, withoutDetails } from "../abi/tdx/status.ts";
import { assert } from "../assert.ts";
import type { TdxModule } from "../tdx-module/module.ts";
import { seamcall } from "../tdx-module/seamcall.ts";
import { PAGE_SIZE } from "../units.ts";
import type { TdMemory } from "./td-memory.ts";

const BLOCK = 512;
const LEVEL_2M = 1;
const ADD = TDH["TDH.PHYMEM.PAMT.ADD"];
const IN_USE = status("HPA_RANGE_NOT_FREE");
const REMOVE = TDH["TDH.PHYMEM.PAMT.REMOVE"];

/**
 * The host's part of dynamic PAMT: counts the 4 KiB pages that TDX uses in each block of 2 MiB, brings a pair of pages for metadata
 * with the first and takes it back with the last.
 *
 * @source Linux "Dynamic PAMT" patch series, 2025 and 2026, tdx_pamt_get and tdx_pamt_put
 * @missing a pair that the module did not give back outlives its TD there; here the end of the TD takes it all the same
 */
export class DynamicPamt {
  /** Hears of each SEAMCALL. */
  onCall: (leaf: number, status: Status) => void = () => {};
  /** Is told of each SEAMCALL before it is made, but for those at the end of the TD. */
  beforeCall: ((regs: Regs) => void) | undefined;
  private readonly module: TdxModule;
  private readonly memory: TdMemory;
  /** By block: 4 KiB pages that TDX uses in it. */
  private readonly used = new Map<number, number>();
  private readonly regs = newRegs();

  /** Blocks that have a pair already, which stays. */
  private readonly paired: ReadonlySet<number>;

  constructor(module: TdxModule, memory: TdMemory, paired: ReadonlySet<number> = new Set()) {
    this.module = module;
    this.memory = memory;
    this.paired = paired;
  }

  /** Blocks that have a pair. */
  get pairs(): number {
    return this.used.size;
  }

  /**
   * TDX is about to get a page of 4 KiB.
   *
   * @returns false, and nothing done, if the host has no two pages for its metadata, or the module refuses them, as it does where a page
   *   lies in memory that it has no metadata for
   */
  get(frame: number): boolean {
    const block = Math.floor(frame / BLOCK);
    if (this.paired.has(block)) return true;
    const used = this.used.get(block) ?? 0;
    if (used === 0) {
      const pages = this.takePages();
      if (pages === undefined) return false;
      const [first, second] = pages;
      const result = this.call(ADD, block, first, second, this.beforeCall);
      if (result !== 0) for (const page of pages) this.memory.giveFrame(page);
      // Whoever has the block already is taken for another thread that was quicker.
      if (result !== 0 && withoutDetails(result) !== IN_USE) return false;
    }
    this.used.set(block, used + 1);
    return true;
  }

  /** TDX has given a page of 4 KiB back, or never got it. */
  put(frame: number): void {
    const block = Math.floor(frame / BLOCK);
    if (this.paired.has(block)) return;
    const used = this.used.get(block);
    assert(used !== undefined, "a page that goes had a pair");
    if (used > 1) this.used.set(block, used - 1);
    // A pair that does not come back stays, counted for a page that is not there.
    else this.removePair(block, this.beforeCall);
  }

  /** Whether the block of a frame has its pair. */
  has(frame: number): boolean {
    const block = Math.floor(frame / BLOCK);
    return this.used.has(block) || this.paired.has(block);
  }

  /** Two pages for a pair that another SEAMCALL brings; undefined if the host has none. */
  takePages(): readonly [number, number] | undefined {
    const first = this.memory.takeFrame();
    if (first < 0) return undefined;
    const second = this.memory.takeFrame();
    if (second >= 0) return [first, second];
    this.memory.giveFrame(first);
    return undefined;
  }

  /** Such a page goes back: the call failed. */
  giveFrame(frame: number): void {
    this.memory.giveFrame(frame);
  }

  /** A page of 2 MiB became 512 of 4 KiB, and its pair came with that call. */
  noteSplit(frame: number): void {
    this.used.set(Math.floor(frame / BLOCK), BLOCK);
  }

  /** The TD is gone: every pair comes back. */
  removeAll(): void {
    for (const block of [...this.used.keys()]) this.removePair(block);
  }

  /** @returns whether the module gave it back */
  private removePair(block: number, before?: (regs: Regs) => void): boolean {
    if (this.call(REMOVE, block, 0, 0, before) !== 0) {
      assert(this.beforeCall !== undefined, "a block that TDX has no 4 KiB page of gives its pair back");
      return false;
    }
    for (const register of [RDX, R8]) this.memory.giveFrame(getNumber(this.regs, register) / PAGE_SIZE);
    this.used.delete(block);
    return true;
  }

  private call(
    leaf: number,
    block: number,
    first: number,
    second: number,
    before: ((regs: Regs) => void) | undefined,
  ): Status {
    const { regs } = this;
    regs.fill(0);
    setNumber(regs, RAX, leaf);
    setNumber(regs, RCX, block * BLOCK * PAGE_SIZE + LEVEL_2M);
    setNumber(regs, RDX, first * PAGE_SIZE);
    setNumber(regs, R8, second * PAGE_SIZE);
    before?.(regs);
    const result = seamcall(this.module, regs);
    this.onCall(leaf, result);
    return result;
  }
}
