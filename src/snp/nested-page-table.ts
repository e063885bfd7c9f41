import { SEPT_FREE, SEPT_MAPPED, SEPT_NL_MAPPED, SEPT_PENDING } from "../abi/tdx/sept-entry.ts";
import { ChangedUnits } from "../flat/changed-units.ts";
import { type Flat, type FlatRange, range } from "../flat/flat-range.ts";
import { capacityFor, grown8, grown16, grown32 } from "../flat/growth.ts";
import { RMP_VALIDATED, type Rmp } from "./rmp.ts";

const PAGES = 512;
/** Sizes of a mapping, by unit of 2 MiB. */
const NONE = 0;
const LARGE = 1;
const SMALL = 2;

/** 2 MiB unit of a guest frame, which may have 40 bits. */
const unitOf = (gfn: number): number => (gfn / PAGES) >>> 0;

const GIBS = 0;
const TABLES = 1;
const CHUNKS = 2;
const FREE_HEAD = 3;

/**
 * Nested page tables of one guest: the hypervisor's word where each guest frame lies. What the guest may use is the RMP's to say;
 * this class knows both, so that it tells the state of a page as the other platform names it: FREE (not mapped, or not the
 * guest's), PENDING (assigned, not validated), MAPPED (validated).
 *
 * Tables by GiB, entries by 2 MiB, chunks of 4 KiB entries. Host frames stay below 2^32. A walk leaves its result in `level`,
 * `stateHere`, `frameHere` and `tableHere`.
 */
export class NestedPageTable implements Flat {
  /** 2 MiB units whose state changed. Not part of a snapshot. */
  readonly changed = new ChangedUnits();
  readonly rmp: Rmp;
  readonly asid: number;
  /** GiBs known, tables used, chunks used, head of the free chunks (1-based; the next in a chunk's first entry). */
  readonly words = new Uint32Array(4);
  /** By GiB: table plus one. */
  private root: Uint32Array = new Uint32Array(64);
  /** By unit of a table: NONE, LARGE or SMALL; first host frame, or the chunk. */
  private size: Uint8Array = new Uint8Array(0);
  private entry: Uint32Array = new Uint32Array(0);
  /** By page of a chunk: host frame plus one. */
  private frame: Uint32Array = new Uint32Array(0);
  /** By chunk: pages that the guest may use. */
  mappedCount: Uint16Array = new Uint16Array(0);
  /** By chunk: pages that are mapped. */
  private used: Uint16Array = new Uint16Array(0);
  level = 2;
  /** Host frame of the page that was walked to; -1: not mapped. */
  frameHere = -1;
  /** State where the walk ended, and the chunk there if it is a table. */
  stateHere = SEPT_FREE;
  tableHere = 0;

  constructor(rmp: Rmp, asid: number) {
    this.rmp = rmp;
    this.asid = asid;
  }

  /** Place of a unit in the arrays; -1: its GiB has no table. */
  private placeOf(unit: number): number {
    const gib = unit >>> 9;
    const table = gib < this.words[GIBS]! ? this.root[gib]! : 0;
    return table === 0 ? -1 : (table - 1) * PAGES + (unit & 511);
  }

  /** Host frame that a guest frame is mapped to, -1 for none; `level` says by what size. */
  translate(gfn: number): number {
    const place = this.placeOf(unitOf(gfn));
    this.level = place < 0 ? 2 : 1;
    if (place < 0) return -1;
    const size = this.size[place]!;
    if (size === NONE) return -1;
    if (size === LARGE) return this.entry[place]! + (gfn & 511);
    this.level = 0;
    return this.frame[this.entry[place]! * PAGES + (gfn & 511)]! - 1;
  }

  /** Walks towards `level` (0 or 1) for the address in two halves. */
  walk(lo: number, hi: number, level: number): void {
    const gfn = hi * 2 ** 20 + (lo >>> 12);
    const place = this.placeOf(unitOf(gfn));
    if (level === 1 && place >= 0 && this.size[place] === SMALL) {
      this.level = 1;
      this.stateHere = SEPT_NL_MAPPED;
      this.tableHere = this.entry[place]!;
      this.frameHere = -1;
      return;
    }
    this.frameHere = this.translate(gfn);
    this.stateHere = this.stateOf(this.frameHere, gfn);
  }

  private stateOf(frame: number, gfn: number): number {
    if (frame < 0 || !this.rmp.belongs(frame, this.asid, gfn)) return SEPT_FREE;
    return (this.rmp.flags & RMP_VALIDATED) !== 0 ? SEPT_MAPPED : SEPT_PENDING;
  }

  isLeafHere(): boolean {
    return this.frameHere >= 0;
  }

  /** How many of the 512 pages of a unit the guest may use. */
  mappedPages(unit: number): number {
    this.walk((unit << 21) >>> 0, Math.floor(unit / 2048), 1);
    if (this.stateHere === SEPT_NL_MAPPED) return this.mappedCount[this.tableHere]!;
    return this.stateHere === SEPT_MAPPED ? PAGES : 0;
  }

  /** End of the addresses from `gpa` on that have one state; at most `limit`. Moves the cursor. */
  endOfState(gpa: number, limit: number): number {
    this.walk(gpa >>> 0, Math.floor(gpa / 2 ** 32), 0);
    const state = this.stateHere;
    let at = gpa;
    while (at < limit && this.stateHere === state) {
      const bytes = [4096, 2 ** 21, 2 ** 30][this.level]!;
      at += bytes - (at % bytes);
      this.walk(at >>> 0, Math.floor(at / 2 ** 32), 0);
    }
    return Math.min(at, limit);
  }

  /** Maps a unit by one entry of 2 MiB. It has no mapping. */
  mapLarge(gfn: number, frame: number): void {
    const place = this.makePlace(unitOf(gfn));
    this.size[place] = LARGE;
    this.entry[place] = frame;
    this.changed.add(unitOf(gfn));
  }

  /** Maps one page of 4 KiB, which has no mapping. No entry of 2 MiB is in the way. */
  mapSmall(gfn: number, frame: number): void {
    const unit = unitOf(gfn);
    const place = this.makePlace(unit);
    if (this.size[place] !== SMALL) this.giveChunk(place);
    const chunk = this.entry[place]!;
    this.frame[chunk * PAGES + (gfn & 511)] = frame + 1;
    this.used[chunk]!++;
    if (this.stateOf(frame, gfn) === SEPT_MAPPED) this.mappedCount[chunk]!++;
    this.changed.add(unit);
  }

  /** Takes the mapping of a page away: all of the unit if it is one of 2 MiB. */
  unmap(gfn: number): void {
    const unit = unitOf(gfn);
    const place = this.placeOf(unit);
    const frame = this.translate(gfn);
    if (frame < 0) return;
    if (this.level === 1) this.size[place] = NONE;
    else {
      const chunk = this.entry[place]!;
      if (this.stateOf(frame, gfn) === SEPT_MAPPED) this.mappedCount[chunk]!--;
      this.frame[chunk * PAGES + (gfn & 511)] = 0;
      if (--this.used[chunk]! === 0) this.freeChunk(place);
    }
    this.changed.add(unit);
  }

  /** Puts 512 entries of 4 KiB in the place of one of 2 MiB. */
  split(gfn: number): void {
    const unit = unitOf(gfn);
    const place = this.placeOf(unit);
    const first = this.entry[place]!;
    const state = this.stateOf(first, unit * PAGES);
    this.giveChunk(place);
    const chunk = this.entry[place]!;
    for (let page = 0; page < PAGES; page++) this.frame[chunk * PAGES + page] = first + page + 1;
    this.mappedCount[chunk] = state === SEPT_MAPPED ? PAGES : 0;
    this.used[chunk] = PAGES;
    this.changed.add(unit);
  }

  /** The RMP entry of a frame changed, by `pages` that the guest may use more or less where it is mapped. */
  noteChange(gfn: number, frame: number, pages: number): void {
    const unit = unitOf(gfn);
    const place = this.placeOf(unit);
    if (place >= 0 && this.size[place] === SMALL) {
      const chunk = this.entry[place]!;
      if (this.frame[chunk * PAGES + (gfn & 511)] === frame + 1) this.mappedCount[chunk]! += pages;
    }
    this.changed.add(unit);
  }

  private makePlace(unit: number): number {
    const gib = unit >>> 9;
    if (gib >= this.words[GIBS]!) {
      this.words[GIBS] = gib + 1;
      this.reserve();
    }
    if (this.root[gib] === 0) {
      this.root[gib] = ++this.words[TABLES]!;
      this.reserve();
    }
    return (this.root[gib]! - 1) * PAGES + (unit & 511);
  }

  private giveChunk(place: number): void {
    const free = this.words[FREE_HEAD]!;
    const chunk = free === 0 ? this.words[CHUNKS]!++ : free - 1;
    this.reserve();
    if (free !== 0) this.words[FREE_HEAD] = this.frame[chunk * PAGES]!;
    this.frame[chunk * PAGES] = 0;
    this.mappedCount[chunk] = 0;
    this.used[chunk] = 0;
    this.size[place] = SMALL;
    this.entry[place] = chunk;
  }

  private freeChunk(place: number): void {
    const chunk = this.entry[place]!;
    this.size[place] = NONE;
    this.entry[place] = 0;
    this.frame[chunk * PAGES] = this.words[FREE_HEAD]!;
    this.words[FREE_HEAD] = chunk + 1;
  }

  flat(): readonly FlatRange[] {
    const [gibs, tables, chunks] = this.words;
    return [
      range(this.words, 4),
      range(this.root, gibs!),
      range(this.size, tables! * PAGES),
      range(this.entry, tables! * PAGES),
      range(this.frame, chunks! * PAGES),
      range(this.mappedCount, chunks!),
      range(this.used, chunks!),
    ];
  }

  reserve(): void {
    const [gibs, tables, chunks] = this.words;
    const root = capacityFor(this.root.length, gibs!);
    if (root > this.root.length) this.root = grown32(this.root, root);
    const units = capacityFor(this.size.length, tables! * PAGES);
    if (units > this.size.length) {
      this.size = grown8(this.size, units);
      this.entry = grown32(this.entry, units);
    }
    const room = capacityFor(this.mappedCount.length, chunks!);
    if (room > this.mappedCount.length) {
      this.mappedCount = grown16(this.mappedCount, room);
      this.used = grown16(this.used, room);
      this.frame = grown32(this.frame, room * PAGES);
    }
  }
}
