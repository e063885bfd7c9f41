import { word } from "../../abi/word.ts";
import { MIB, PAGE_SIZE, roundDown, roundUp } from "../../units.ts";
import type { GuestRam } from "../guest-ram/guest-ram.ts";
import type { Span } from "../span.ts";
import { RangeSet } from "./range-set.ts";

const UNIT = 2 * MIB;
const ENTRY_BYTES = 8;
const ENTRIES = 512n;
/** Level of the tables whose entries map 2 MiB or name a table of 4 KiB pages. */
const LARGE_PAGE_LEVEL = 2;
const PRESENT = 1;

/**
 * An entry of a page table of any level above the lowest.
 *
 * @source Intel SDM vol. 3, 4.5.4 and 4.5.5: bit 7 says that the entry maps a page itself
 */
const ENTRY = word({ present: [0, 0], large: [7, 7], frame: [51, 12] });

/** A set of page tables as a CPU walks them. */
export interface PageTables {
  /** Guest-physical address of the topmost table. */
  readonly root: number;
  /** 4, or 5 with CR4.LA57. */
  readonly levels: number;
}

/** The page tables that a CPU uses, by its control registers. */
export const pageTablesOf = (cr3: bigint, cr4: bigint): PageTables => ({
  root: Number(ENTRY.decode(cr3).frame) * PAGE_SIZE,
  levels: (cr4 & (1n << 12n)) === 0n ? 4 : 5,
});

type Memory = Pick<GuestRam, "has" | "read" | "write">;

const wordAt = (memory: Memory, at: number): bigint => {
  const bytes = memory.read(at, ENTRY_BYTES);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
};

/** Guest-physical address of the entry that maps a virtual address in units of 2 MiB; undefined if there is none. */
const largePageEntry = (
  memory: Memory,
  { root, levels }: PageTables,
  address: bigint,
): number | undefined => {
  let table = root;
  for (let level = levels; ; level--) {
    const at = table + ENTRY_BYTES * Number((address >> BigInt(12 + 9 * (level - 1))) % ENTRIES);
    if (!memory.has(at, ENTRY_BYTES)) return undefined;
    if (level === LARGE_PAGE_LEVEL) return at;
    const { present, large, frame } = ENTRY.decode(wordAt(memory, at));
    if (present === 0n || large === 1n) return undefined;
    table = Number(frame) * PAGE_SIZE;
  }
};

/**
 * Large pages of a kernel's direct mapping that were made absent in its page tables, because the guest may not touch
 * them: an access to one is a page fault. The kernel, which looks at bit 7 too, still takes them for present.
 *
 * A page becomes present again by one byte that is written from outside, without the guest standing still: no CPU keeps
 * in its TLB that a page was absent.
 */
export class DirectMapPages {
  private readonly memory: Memory;
  /** Where the entry of an absent unit lies, by the unit's number. */
  private readonly entries = new Map<number, number>();
  private readonly set = new RangeSet();

  constructor(memory: Memory) {
    this.memory = memory;
  }

  get ranges(): readonly Span[] {
    return this.set.ranges;
  }

  has(gpa: number): boolean {
    return this.set.has(gpa);
  }

  /**
   * Makes the units of [start, end) absent that a present page of 2 MiB maps. Nothing of them may have been touched
   * through the mapping, and the guest must stand still.
   *
   * @param base virtual address of the direct mapping
   */
  withdraw({ start, end }: Span, tables: PageTables, base: bigint): void {
    for (let at = roundUp(start, UNIT); at < roundDown(end, UNIT); at += UNIT) {
      const entry = largePageEntry(this.memory, tables, base + BigInt(at));
      if (entry === undefined) continue;
      const { present, large, frame } = ENTRY.decode(wordAt(this.memory, entry));
      // Bit 12 of a large page is not of its address.
      const mapped = Number(frame - (frame % ENTRIES)) * PAGE_SIZE;
      if (present === 0n || large === 0n || mapped !== at) continue;
      this.setPresent(entry, false);
      this.entries.set(at / UNIT, entry);
      this.set.add(at, at + UNIT);
    }
  }

  /** Makes the absent units in [start, end) present again. Both are bounds of units. */
  restore(start: number, end: number): void {
    for (let at = start; at < end; at += UNIT) {
      const entry = this.entries.get(at / UNIT);
      if (entry === undefined) continue;
      this.entries.delete(at / UNIT);
      this.restoreEntry(entry);
    }
    this.set.subtract(start, end);
  }

  /** Forgets all: the page tables are no longer in use. @returns what was absent */
  forget(): readonly Span[] {
    const { ranges } = this;
    for (const { start, end } of ranges) this.set.subtract(start, end);
    this.entries.clear();
    return ranges;
  }

  private restoreEntry(at: number): void {
    const { large, frame } = ENTRY.decode(wordAt(this.memory, at));
    if (large === 1n) this.setPresent(at, true);
    else {
      // The kernel has split the page meanwhile: each of its parts is as absent as the whole was.
      const table = Number(frame) * PAGE_SIZE;
      for (let i = 0; i < Number(ENTRIES); i++) this.setPresent(table + i * ENTRY_BYTES, true);
    }
  }

  private setPresent(at: number, present: boolean): void {
    const [low] = this.memory.read(at, 1);
    this.memory.write(at, Uint8Array.of(present ? low! | PRESENT : low! & ~PRESENT));
  }
}
