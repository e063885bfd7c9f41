import { type Flat, type FlatRange, range } from "../flat/flat-range.ts";
import { capacityFor, grown8, grown32 } from "../flat/growth.ts";

const BLOCK = 512;
const BLOCKS = 0;
const USED = 1;
const FREE_HEAD = 2;
const MARKED = 3;

/**
 * Dynamic PAMT: the pairs of pages that hold the metadata of 4 KiB pages, for those blocks of 2 MiB that have one, and which
 * pages of the host are such pages.
 *
 * @source TDX module 1.5.25, dynamic PAMT
 */
export class PamtPairs implements Flat {
  private readonly firstFrame: number;
  /** Blocks known, rows used, head of the free rows (1-based, linked by their first word), bytes of the bitmap known. */
  private readonly words = new Uint32Array(4);
  /** By block of 2 MiB: row plus one, 0 for none. */
  private rowOf: Uint32Array = new Uint32Array(64);
  /** Two frames a row. */
  private rows: Uint32Array = new Uint32Array(16);
  /** A bit a frame: it holds metadata. */
  private marked: Uint8Array = new Uint8Array(64);

  /** @param firstFrame first frame of all TDMRs, a multiple of 1 GiB */
  constructor(firstFrame: number) {
    this.firstFrame = firstFrame;
  }

  private blockOf(frame: number): number {
    return (frame - this.firstFrame) >>> 9;
  }

  /** Whether the block of a frame has a pair. */
  has(frame: number): boolean {
    const block = this.blockOf(frame);
    return block < this.rowOf.length && this.rowOf[block] !== 0;
  }

  /** Whether a frame is a page of a pair, of whatever block. */
  isPamtPage(frame: number): boolean {
    const bit = frame - this.firstFrame;
    return ((this.marked[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }

  /** Whether a page of a pair lies in the block of a frame. */
  anyIn(frame: number): boolean {
    const byte = (this.blockOf(frame) * BLOCK) / 8;
    for (let at = byte; at < byte + BLOCK / 8; at++) if ((this.marked[at] ?? 0) !== 0) return true;
    return false;
  }

  /** The pair of the block of a frame, which has one. */
  pairOf(frame: number): readonly [number, number] {
    const row = 2 * (this.rowOf[this.blockOf(frame)]! - 1);
    return [this.rows[row]!, this.rows[row + 1]!];
  }

  /** Gives the block of a frame, which has none, a pair. */
  add(frame: number, first: number, second: number): void {
    const block = this.blockOf(frame);
    let row = this.words[FREE_HEAD]! - 1;
    if (row < 0) row = this.words[USED]!++;
    else this.words[FREE_HEAD] = this.rows[2 * row]!;
    this.words[BLOCKS] = Math.max(this.words[BLOCKS]!, block + 1);
    this.reserve();
    this.rowOf[block] = row + 1;
    this.rows[2 * row] = first;
    this.rows[2 * row + 1] = second;
    this.mark(first, true);
    this.mark(second, true);
  }

  /** Takes the pair of a block away. */
  remove(frame: number): void {
    const block = this.blockOf(frame);
    const row = this.rowOf[block]! - 1;
    for (const page of this.pairOf(frame)) this.mark(page, false);
    this.rows[2 * row] = this.words[FREE_HEAD]!;
    this.rows[2 * row + 1] = 0;
    this.words[FREE_HEAD] = row + 1;
    this.rowOf[block] = 0;
  }

  private mark(frame: number, set: boolean): void {
    const bit = frame - this.firstFrame;
    this.words[MARKED] = Math.max(this.words[MARKED]!, (bit >>> 3) + 1);
    this.reserve();
    if (set) this.marked[bit >>> 3]! |= 1 << (bit & 7);
    else this.marked[bit >>> 3]! &= ~(1 << (bit & 7));
  }

  flat(): readonly FlatRange[] {
    const [blocks, used, , marked] = this.words;
    return [
      range(this.words, 4),
      range(this.rowOf, blocks!),
      range(this.rows, 2 * used!),
      range(this.marked, marked!),
    ];
  }

  reserve(): void {
    const [blocks, used, , marked] = this.words;
    const rowOf = capacityFor(this.rowOf.length, blocks!);
    if (rowOf > this.rowOf.length) this.rowOf = grown32(this.rowOf, rowOf);
    const rows = capacityFor(this.rows.length, 2 * used!);
    if (rows > this.rows.length) this.rows = grown32(this.rows, rows);
    const bytes = capacityFor(this.marked.length, marked!);
    if (bytes > this.marked.length) this.marked = grown8(this.marked, bytes);
  }
}
