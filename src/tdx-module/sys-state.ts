import { assert } from "../assert.ts";
import { type Flat, type FlatRange, range } from "../flat/flat-range.ts";
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

/** Bytes of the unit that the TDMR table counts in: what one TDH.SYS.TDMR.INIT does. Below 2^52 bytes it counts up to 2^30. */
export const TDMR_UNIT = 2 ** 22;
/** Units of 1 GiB. */
export const GIB_UNITS = 256;
/** Words of one row of the TDMR table: base, end and next to initialise in units; number of reserved areas. */
const ROW = 4;
const BASE = 0;
const END = 1;
const NEXT = 2;
const AREAS = 3;
const MAX_TDMRS = 64;
const MAX_AREAS = 16;

/** The module's own state from its loading to READY, and that of its extensions. */
export class SysState implements Flat {
  readonly words = new Uint32Array(WORDS);
  private readonly rows: Uint32Array;
  /** Offset and size of each reserved area in bytes, 16 areas a TDMR. */
  private readonly areas: Float64Array;
  /** TDMR that `tdmrAt` found last. */
  private last = 0;
  /** By logical processor: whether it made TDH.SYS.LP.INIT. */
  private readonly lps: Uint8Array;
  private readonly lpsPerPackage: number;

  constructor({ logicalProcessors, packages }: SysInfo, tdmrsAtMost = MAX_TDMRS) {
    assert(1 <= packages && packages <= 32, "a platform has 1 to 32 packages");
    assert(logicalProcessors % packages === 0, "each package has as many logical processors");
    this.lps = new Uint8Array(logicalProcessors);
    this.lpsPerPackage = logicalProcessors / packages;
    this.rows = new Uint32Array(ROW * tdmrsAtMost);
    this.areas = new Float64Array(2 * MAX_AREAS * tdmrsAtMost);
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
    this.rows.fill(0);
    this.areas.fill(0);
    tdmrs.forEach(({ base, size, reserved = [] }, index) => {
      this.rows.set(
        [base / TDMR_UNIT, (base + size) / TDMR_UNIT, base / TDMR_UNIT, reserved.length],
        index * ROW,
      );
      reserved.forEach((area, i) => {
        this.areas.set([area.offset, area.size], 2 * (index * MAX_AREAS + i));
      });
    });
  }
  /** The TDMRs as they were configured. */
  tdmrs(): Tdmr[] {
    return Array.from({ length: this.tdmrCount }, (_, index) => {
      const row = index * ROW;
      const first = 2 * index * MAX_AREAS;
      const reserved: ReservedArea[] = Array.from({ length: this.rows[row + AREAS]! }, (_area, i) => ({
        offset: this.areas[first + 2 * i]!,
        size: this.areas[first + 2 * i + 1]!,
      }));
      const base = this.rows[row + BASE]! * TDMR_UNIT;
      return { base, size: this.rows[row + END]! * TDMR_UNIT - base, reserved };
    });
  }

  /** Number of the TDMR that starts at `base`, in units, or -1. */
  tdmrAt(base: number): number {
    const count = this.words[SYS_WORD.TDMRS]!;
    const { rows, last } = this;
    if (last < count && rows[last * ROW] === base) return last;
    for (let index = 0; index < count; index++) {
      if (rows[index * ROW] !== base) continue;
      this.last = index;
      return index;
    }
    return -1;
  }
  /** First unit that TDH.SYS.TDMR.INIT has not come to yet. */
  nextOf(index: number): number {
    return this.rows[index * ROW + NEXT]!;
  }
  setNext(index: number, next: number): void {
    this.rows[index * ROW + NEXT] = next;
  }
  endOf(index: number): number {
    return this.rows[index * ROW + END]!;
  }

  flat(): readonly FlatRange[] {
    return [
      range(this.words, WORDS),
      range(this.rows, this.tdmrCount * ROW),
      range(this.areas, 2 * MAX_AREAS * this.tdmrCount),
      range(this.lps, this.lps.length),
    ];
  }
  reserve(): void {
    this.rows.fill(0, this.tdmrCount * ROW);
    this.areas.fill(0, 2 * MAX_AREAS * this.tdmrCount);
  }
}
