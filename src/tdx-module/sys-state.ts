import { assert } from "../assert.ts";
import { type Flat, type FlatRange, range } from "./flat-range.ts";
import type { SysInfo } from "./sys-info.ts";
import type { ReservedArea, Tdmr } from "./tdmr.ts";

/**
 * How far the module as a whole has come.
 *
 * @source TDX module 1.5.25, system state
 */
export const SYS_STATE = { INIT_PENDING: 0, INIT_DONE: 1, CONFIG_DONE: 2, READY: 3 } as const;

/** Words of the module's global state. */
export const SYS_WORD = {
  STATE: 0,
  TDMRS: 1,
  LPS_DONE: 2,
  /** Packages that have the global key, one bit each, and how many. */
  PACKAGES: 3,
  PACKAGES_DONE: 4,
  GLOBAL_HKID: 5,
  DYNAMIC_PAMT: 6,
  /** Extensions: 1 while TDH.EXT.INIT is to be made; pages asked for, pages given, pages that INIT has gone through. */
  EXT_REQUIRED: 7,
  EXT_WANTED: 8,
  EXT_GIVEN: 9,
  EXT_CURSOR: 10,
  /** A resumable call finds an interrupt pending after this many of its pages; 0: never. */
  INTERRUPT_EVERY: 11,
} as const;
const WORDS = 12;

/** Numbers of one row of the TDMR table: base, size, next to initialise (bytes), areas, then offset and size of each. */
const MAX_AREAS = 16;
const ROW = 4 + 2 * MAX_AREAS;
const BASE = 0;
const SIZE = 1;
const NEXT = 2;
const AREAS = 3;
const MAX_TDMRS = 64;

/** The module's own state from its loading to READY, and that of its extensions. */
export class SysState implements Flat {
  readonly words = new Uint32Array(WORDS);
  private readonly table: Float64Array;
  /** By logical processor: whether it made TDH.SYS.LP.INIT. */
  private readonly lps: Uint8Array;
  private readonly lpsPerPackage: number;

  constructor({ logicalProcessors, packages }: SysInfo, tdmrsAtMost = MAX_TDMRS) {
    assert(1 <= packages && packages <= 32, "a platform has 1 to 32 packages");
    assert(logicalProcessors % packages === 0, "each package has as many logical processors");
    this.lps = new Uint8Array(logicalProcessors);
    this.lpsPerPackage = logicalProcessors / packages;
    this.table = new Float64Array(ROW * tdmrsAtMost);
  }

  get state(): number {
    return this.words[SYS_WORD.STATE]!;
  }
  set state(state: number) {
    this.words[SYS_WORD.STATE] = state;
  }
  get tdmrCount(): number {
    return this.words[SYS_WORD.TDMRS]!;
  }
  get dynamicPamt(): boolean {
    return this.words[SYS_WORD.DYNAMIC_PAMT] !== 0;
  }
  get logicalProcessors(): number {
    return this.lps.length;
  }

  isLpDone(lp: number): boolean {
    return this.lps[lp] === 1;
  }
  lpDone(lp: number): void {
    this.lps[lp] = 1;
    this.words[SYS_WORD.LPS_DONE]!++;
  }
  packageOf(lp: number): number {
    return Math.floor(lp / this.lpsPerPackage);
  }

  setTdmrs(tdmrs: readonly Tdmr[]): void {
    this.words[SYS_WORD.TDMRS] = tdmrs.length;
    this.table.fill(0);
    tdmrs.forEach(({ base, size, reserved = [] }, index) => {
      const row = index * ROW;
      this.table.set([base, size, base, reserved.length], row);
      this.table.set(
        reserved.flatMap((area) => [area.offset, area.size]),
        row + 4,
      );
    });
  }
  /** The TDMRs as they were configured. */
  tdmrs(): Tdmr[] {
    return Array.from({ length: this.tdmrCount }, (_, index) => {
      const row = index * ROW;
      const reserved: ReservedArea[] = [];
      for (let at = row + 4; reserved.length < this.table[row + AREAS]!; at += 2) {
        reserved.push({ offset: this.table[at]!, size: this.table[at + 1]! });
      }
      return { base: this.table[row + BASE]!, size: this.table[row + SIZE]!, reserved };
    });
  }

  /** Number of the TDMR that starts at byte `base`, or -1. */
  tdmrAt(base: number): number {
    const end = this.tdmrCount * ROW;
    for (let row = 0; row < end; row += ROW) if (this.table[row] === base) return row / ROW;
    return -1;
  }
  /** First byte that TDH.SYS.TDMR.INIT has not come to yet. */
  nextOf(index: number): number {
    return this.table[index * ROW + NEXT]!;
  }
  setNext(index: number, next: number): void {
    this.table[index * ROW + NEXT] = next;
  }
  endOf(index: number): number {
    return this.table[index * ROW]! + this.table[index * ROW + SIZE]!;
  }

  flat(): readonly FlatRange[] {
    return [
      range(this.words, WORDS),
      range(this.table, this.tdmrCount * ROW),
      range(this.lps, this.lps.length),
    ];
  }
  reserve(): void {
    this.table.fill(0, this.tdmrCount * ROW);
  }
}
