import { assert } from "../assert.ts";
import { type Flat, type FlatRange, range } from "../flat/flat-range.ts";
import { capacityFor, grown8, grown32 } from "../flat/growth.ts";

/** Frames in a chunk: one 2 MiB host page. */
export const SMALL_CHUNK = 512;
const MIXED = 0xff;

const BLOCKS = 0;
const USED = 1;
const FREE_HEAD = 2;

/**
 * One byte a host frame, folded: a 2 MiB block whose 512 bytes are equal is one byte, others have a chunk.
 * A chunk is given back when its bytes become equal again, by a whole fill or one by one.
 */
export class TagChunks implements Flat {
  /** Blocks known, chunks used, head of the free chunks (1-based). */
  readonly words = new Uint32Array(3);
  private uniform: Uint8Array = new Uint8Array(64);
  private chunk: Uint32Array = new Uint32Array(64);
  private tags: Uint8Array = new Uint8Array(0);
  /** Frames of a chunk whose tag equals the tag of its first frame. */
  private same: Uint32Array = new Uint32Array(0);

  get(frame: number): number {
    const block = frame >>> 9;
    if (block >= this.uniform.length) return 0;
    const tag = this.uniform[block]!;
    return tag === MIXED ? this.tags[(this.chunk[block]! << 9) | (frame & 511)]! : tag;
  }

  /** How many of `count` frames from `frame` on have this tag. */
  count(frame: number, count: number, tag: number): number {
    let found = 0;
    for (let at = frame; at < frame + count; ) {
      const block = at >>> 9;
      const next = Math.min(frame + count, (block + 1) * SMALL_CHUNK);
      const uniform = block < this.uniform.length ? this.uniform[block]! : 0;
      if (uniform === tag) found += next - at;
      else if (uniform === MIXED) for (let one = at; one < next; one++) if (this.get(one) === tag) found++;
      at = next;
    }
    return found;
  }

  /** Sets `count` frames from `frame` on, all in one block. A block is known from the first tag that is not 0. */
  fill(frame: number, count: number, tag: number): void {
    const block = frame >>> 9;
    const before = block < this.words[BLOCKS]! ? this.uniform[block]! : 0;
    if (before !== tag) this.change(frame, count, tag, before);
  }

  private change(frame: number, count: number, tag: number, before: number): void {
    const block = frame >>> 9;
    this.knowBlock(block);
    if (count === SMALL_CHUNK) {
      if (before === MIXED) this.freeChunk(block);
      this.uniform[block] = tag;
      return;
    }
    assert((frame & 511) + count <= SMALL_CHUNK, "a run of frames lies in one 2 MiB page");
    this.fillPart(block, frame & 511, count, tag);
  }

  private fillPart(block: number, first: number, count: number, tag: number): void {
    if (this.uniform[block] !== MIXED) this.giveChunk(block);
    const chunk = this.chunk[block]!;
    const base = chunk << 9;
    for (let i = 0; i < count; i++) this.setOne(chunk, base + first + i, tag);
    if (this.same[chunk] === SMALL_CHUNK) {
      const uniform = this.tags[base]!;
      this.freeChunk(block);
      this.uniform[block] = uniform;
    }
  }

  private setOne(chunk: number, at: number, tag: number): void {
    const base = chunk << 9;
    const before = this.tags[at]!;
    if (before === tag) return;
    this.tags[at] = tag;
    if (at !== base) {
      const reference = this.tags[base]!;
      if (before === reference) this.same[chunk]!--;
      else if (tag === reference) this.same[chunk]!++;
      return;
    }
    let same = 0;
    for (let i = 0; i < SMALL_CHUNK; i++) if (this.tags[base + i] === tag) same++;
    this.same[chunk] = same;
  }

  /** Blocks whose frames are not all equal. */
  get chunksInUse(): number {
    return this.uniform.subarray(0, this.words[BLOCKS]!).filter((tag) => tag === MIXED).length;
  }

  private giveChunk(block: number): void {
    let chunk = this.words[FREE_HEAD]! - 1;
    if (chunk >= 0) this.words[FREE_HEAD] = this.same[chunk]!;
    else {
      chunk = this.words[USED]!;
      if (chunk === this.same.length) this.growChunks(chunk + 1);
      this.words[USED] = chunk + 1;
    }
    this.tags.fill(this.uniform[block]!, chunk << 9, (chunk + 1) << 9);
    this.same[chunk] = SMALL_CHUNK;
    this.chunk[block] = chunk;
    this.uniform[block] = MIXED;
  }

  private freeChunk(block: number): void {
    const chunk = this.chunk[block]!;
    this.tags.fill(0, chunk << 9, (chunk + 1) << 9);
    this.same[chunk] = this.words[FREE_HEAD]!;
    this.words[FREE_HEAD] = chunk + 1;
    this.chunk[block] = 0;
  }

  private knowBlock(block: number): void {
    if (block >= this.uniform.length) this.growBlocks(block + 1);
    if (block >= this.words[BLOCKS]!) this.words[BLOCKS] = block + 1;
  }

  private growBlocks(needed: number): void {
    const blocks = capacityFor(this.uniform.length, needed);
    this.uniform = grown8(this.uniform, blocks);
    this.chunk = grown32(this.chunk, blocks);
  }

  private growChunks(needed: number): void {
    const chunks = capacityFor(Math.max(this.same.length, 4), needed);
    this.tags = grown8(this.tags, chunks << 9);
    this.same = grown32(this.same, chunks);
  }

  flat(): readonly FlatRange[] {
    return [
      range(this.words, 3),
      range(this.uniform, this.words[BLOCKS]!),
      range(this.chunk, this.words[BLOCKS]!),
      range(this.tags, this.words[USED]! << 9),
      range(this.same, this.words[USED]!),
    ];
  }

  reserve(): void {
    const blocks = this.words[BLOCKS]!;
    const chunks = this.words[USED]!;
    if (blocks > this.uniform.length) this.growBlocks(blocks);
    if (chunks > this.same.length) this.growChunks(chunks);
    this.uniform.fill(0, blocks);
    this.chunk.fill(0, blocks);
  }
}
