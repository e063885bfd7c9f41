import { assert } from "../../../assert.ts";
import { MIB, PAGE_SIZE } from "../../../units.ts";
import type { PageTables } from "../direct-map-pages.ts";

export const PRESENT = 1n;
export const LARGE = 0x80n;
/** Present, writable, accessed, dirty. */
const FLAGS = 0x63n;
/** Where a kernel of 4 levels maps memory without KASLR; some address for one of 5. */
export const DIRECT_MAP = 0xffff_8880_0000_0000n;

const UNIT = 2 * MIB;
const ADDRESS = 0xf_ffff_ffff_f000n;
const MEMORY_BYTES = 64 * PAGE_SIZE;

/** Page tables as a kernel makes them for its direct mapping, in a little memory that holds nothing else. */
export class TablesForTest {
  readonly cpu: PageTables;
  readonly memory = {
    has: (at: number, length: number): boolean => at >= 0 && at + length <= MEMORY_BYTES,
    read: (at: number, length: number): Uint8Array => this.bytes.slice(at, at + length),
    write: (at: number, bytes: Uint8Array): void => this.bytes.set(bytes, at),
  };
  private readonly bytes = new Uint8Array(MEMORY_BYTES);
  private readonly words = new BigUint64Array(this.bytes.buffer);
  private free = 2 * PAGE_SIZE;

  constructor(levels: number) {
    this.cpu = { root: PAGE_SIZE, levels };
  }

  /** Maps [gpa, gpa + size) by pages of 2 MiB. */
  mapLarge(gpa: number, size: number): void {
    for (let at = gpa; at < gpa + size; at += UNIT) this.setEntry(at, BigInt(at) | LARGE | FLAGS);
  }

  /** Maps the 1 GiB at `gpa` by one page. */
  mapHuge(gpa: number): void {
    this.words[this.index(gpa, 3)] = BigInt(gpa) | LARGE | FLAGS;
  }

  /** The entry for the 2 MiB at `gpa`. */
  entry(gpa: number): bigint {
    return this.words[this.index(gpa, 2)]!;
  }

  setEntry(gpa: number, entry: bigint): void {
    this.words[this.index(gpa, 2)] = entry;
  }

  /** Splits an absent page as the kernel does: into 512 absent ones. @returns reads their entries */
  splitAbsent(gpa: number): () => bigint[] {
    const table = this.newTable();
    for (let i = 0; i < 512; i++)
      this.words[table / 8 + i] = BigInt(gpa + i * PAGE_SIZE) | (FLAGS & ~PRESENT);
    this.setEntry(gpa, BigInt(table) | FLAGS);
    return () => [...this.words.subarray(table / 8, table / 8 + 512)];
  }

  private newTable(): number {
    const table = this.free;
    this.free += PAGE_SIZE;
    assert(this.free <= MEMORY_BYTES, "the tables of a test fit into its memory");
    return table;
  }

  /** Index of the word of an entry of a level; the tables above it are made if they are missing. */
  private index(gpa: number, last: number): number {
    const address = DIRECT_MAP + BigInt(gpa);
    let table = this.cpu.root;
    for (let level = this.cpu.levels; ; level--) {
      const index = table / 8 + Number((address >> BigInt(12 + 9 * (level - 1))) & 511n);
      if (level === last) return index;
      if (this.words[index] === 0n) this.words[index] = BigInt(this.newTable()) | FLAGS;
      table = Number(this.words[index]! & ADDRESS);
    }
  }
}
