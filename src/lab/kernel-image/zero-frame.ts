import { assert } from "../../assert.ts";

/** Most bytes that a block of a zstd frame may become. */
const BLOCK = 128 * 1024;
const RAW = 0;
const REPEATED = 1;
const COMPRESSED = 2;
/** Bytes of a block's header, of the frame's, and of a block that is copied from what lies before. */
const HEADER = 3;
const FRAME_HEADER = 9;
const COPIED_BYTES = 13;
/** Single segment, content size in 4 bytes, no checksum, no dictionary. */
const DESCRIPTOR = 0xa0;

/** Length code of the longest matches, and the least of them: 16 bits more follow. */
const LONG_MATCH = 52;
const LONG_MATCH_LEAST = 65539;
/** Offset code of distances from 61 to 124 bytes: the distance, which is 61 here, is told by 6 bits more. */
const DISTANCE_CODE = 6;
const DISTANCE = 61;

/** Writes a frame piece by piece. */
class FrameWriter {
  readonly bytes: Uint8Array;
  private at = 0;

  constructor(room: number) {
    this.bytes = new Uint8Array(room);
  }

  put(...bytes: readonly number[]): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  block(size: number, type: number, last = false): void {
    const word = size * 8 + type * 2 + (last ? 1 : 0);
    this.put(word & 0xff, (word >>> 8) & 0xff, word >>> 16);
  }

  /** A block as it is. */
  raw(bytes: Uint8Array, last = false): void {
    this.block(bytes.length, RAW, last);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /**
   * 128 KiB of what lies 61 bytes before: one literal, no tables but of one symbol each, and one match of a byte less.
   *
   * The bits that follow the symbols are read from their end: first the distance's, which are 0, then the length's.
   */
  copied(): void {
    const bits = BLOCK - 1 - LONG_MATCH_LEAST + (1 << (16 + DISTANCE_CODE));
    this.block(COPIED_BYTES - HEADER, COMPRESSED);
    this.put(1 << 3, 0, 1, 0b01_01_01_00, 1, DISTANCE_CODE, LONG_MATCH);
    this.put(bits & 0xff, (bits >>> 8) & 0xff, bits >>> 16);
  }

  get written(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }
}

/**
 * A zstd frame of `size` bytes: `head`, zeroes, `tail`. A decoder is through with it in no time: it has nothing to decode but matches
 * of 128 KiB, which it copies by words, and then blocks that it copies as they are.
 *
 * Of those there are as many as fit, because the kernel's decompressor may unpack into the memory that the frame lies in: the last of
 * the frame comes to lie where the last of a payload of `room` bytes does, but for two blocks.
 *
 * @param head and tail of at most 64 KiB each @param room most bytes that the frame may take
 * @returns undefined if there is no room
 * @source RFC 8878, 3.1.1
 */
export const zeroFrame = (
  head: Uint8Array,
  size: number,
  tail: Uint8Array,
  room: number,
): Uint8Array | undefined => {
  assert(Math.max(head.length, tail.length) <= BLOCK / 2 && size < 2 ** 32, "head and tail are a block each");
  const first = new Uint8Array(head.length + DISTANCE);
  first.set(head);
  const zeroes = size - first.length - tail.length;
  const ends = FRAME_HEADER + first.length + tail.length + 4 * HEADER;
  const most = Math.floor((room - ends - Math.ceil(size / BLOCK) * COPIED_BYTES) / (BLOCK + HEADER));
  if (zeroes < 0 || most < 0) return undefined;
  const raw = Math.min(most, Math.floor(zeroes / BLOCK));
  const frame = new FrameWriter(room);
  frame.put(0x28, 0xb5, 0x2f, 0xfd, DESCRIPTOR);
  frame.put(size & 0xff, (size >>> 8) & 0xff, (size >>> 16) & 0xff, size >>> 24);
  frame.raw(first);
  const left = zeroes - raw * BLOCK;
  for (let n = Math.floor(left / BLOCK); n > 0; n--) frame.copied();
  frame.block(left % BLOCK, REPEATED);
  frame.put(0);
  const block = new Uint8Array(BLOCK);
  for (let n = raw; n > 0; n--) frame.raw(block);
  frame.raw(tail, true);
  return frame.written;
};
