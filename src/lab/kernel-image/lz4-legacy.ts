import { DecodeError } from "../../abi/bytes.ts";
import { copyMatch } from "./copy-match.ts";

const WHAT = "LZ4 legacy frame";
const MAGIC = 0x184c_2102;
const MIN_MATCH = 4;

interface Block {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

const broken = (at: number, expected: string, found: string): never => {
  throw new DecodeError(WHAT, at, expected, found);
};

/** A length whose nibble is 15 goes on in bytes, up to and including the first that is not 255. */
const longLength = ({ input }: Block, at: number, end: number): { length: number; at: number } => {
  let length = 15;
  for (let next = at; next < end; next++) {
    length += input[next]!;
    if (input[next] !== 255) return { length, at: next + 1 };
  }
  return broken(at, "a length that ends inside its block", "the block's end");
};

/** One block, which knows only its own output. Returns where the output ends. */
const decodeBlock = (block: Block, begin: number, end: number, blockStart: number): number => {
  const { input, output } = block;
  let at = begin;
  let to = blockStart;
  while (at < end) {
    const token = input[at++]!;
    let literals = token >> 4;
    if (literals === 15) ({ length: literals, at } = longLength(block, at, end));
    if (at + literals > end) broken(at, `${literals} literals inside their block`, `${end - at}`);
    if (to + literals > output.length) broken(at, `at most ${output.length} bytes of output`, "more");
    output.set(input.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    if (at === end) return to; // the last sequence has literals only
    if (at + 2 > end) broken(at, "a distance of 2 bytes", "the block's end");
    const distance = input[at]! | (input[at + 1]! << 8);
    if (distance === 0 || distance > to - blockStart)
      broken(at, `a distance of 1 to ${to - blockStart}`, `${distance}`);
    at += 2;
    let length = token & 15;
    if (length === 15) ({ length, at } = longLength(block, at, end));
    length += MIN_MATCH;
    if (to + length > output.length) broken(at, `at most ${output.length} bytes of output`, "more");
    copyMatch(output, to, distance, length);
    to += length;
  }
  return to;
};

/**
 * Decompresses the frame that `lz4 -l` and the kernel's build write: the magic, then blocks with their length.
 *
 * @param limit bytes of output at most
 * @throws DecodeError if the frame is damaged or holds more
 * @source LZ4 frame format, "Legacy frame"; LZ4 block format
 */
export const decompressLz4Legacy = (input: Uint8Array, limit: number): Uint8Array => {
  const words = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const block: Block = { input, output: new Uint8Array(limit) };
  let to = 0;
  let at = 0;
  while (at < input.length) {
    if (at + 4 > input.length) broken(at, "a block length of 4 bytes", `${input.length - at}`);
    const length = words.getUint32(at, true);
    at += 4;
    if (length === MAGIC) continue; // frames may follow each other
    if (at === 4) broken(0, "the magic of the legacy frame", `0x${length.toString(16)}`);
    if (at + length > input.length)
      broken(at - 4, `a block of at most ${input.length - at} bytes`, `${length}`);
    to = decodeBlock(block, at, at + length, to);
    at += length;
  }
  return block.output.subarray(0, to);
};
