import { HASH, LINE_BYTES, LINE_WORDS, type LineFunctions, ROW_BYTES } from "./line.ts";
import { BlockWriter, blockWords, lineOf, takeBlock } from "./saved-state.ts";

const long = (value: bigint): bigint => BigInt.asUintN(64, value);
const fold = (hash: bigint, bits: bigint): bigint => hash ^ (hash >> bits);

/** Words of a line at a place, and its number, as 64 bits. */
const hashOf = (longs: BigUint64Array, number: number, place: number): bigint => {
  let hash = long(BigInt(number) * HASH.line);
  for (let at = place / 8; at < (place + LINE_BYTES) / 8; at++)
    hash = fold(long((hash ^ longs[at]!) * HASH.word), 32n);
  hash = fold(long(hash * HASH.first), 29n);
  return fold(long(hash * HASH.second), 32n);
};

type Chained = Pick<LineFunctions, "write" | "read">;

const slowChain = (words: Uint32Array): Chained => ({
  write: (list, end, rows, copy, out) => {
    const writer = new BlockWriter();
    let at = out / 4;
    for (const number of words.subarray(list / 4, end / 4)) {
      const [place, there] = [words[(rows + number * ROW_BYTES) / 4]! / 4, copy / 4 + number * LINE_WORDS];
      // One writer a block: none fills two lines.
      writer.begin(words, at);
      writer.line(number, words, place, words, there);
      at = writer.used;
      words.copyWithin(there, place, place + LINE_WORDS);
    }
    return at * 4;
  },
  read: (blocks, end, copy, list) => {
    let to = list / 4;
    for (let block = blocks / 4; block < end / 4; block += blockWords(words[block]!)) {
      const header = words[block]!;
      takeBlock(words, block, words.subarray(copy / 4));
      words[to++] = lineOf(header);
    }
    return to * 4;
  },
});

/** What line-code.ts does, for a machine without vectors or without WebAssembly; tests hold one against the other. */
export const slowLines = (buffer: ArrayBufferLike): LineFunctions => {
  const words = new Uint32Array(buffer);
  const longs = new BigUint64Array(buffer);
  return {
    ...slowChain(words),
    compare: (rows, end, copy, number, list) => {
      let to = list / 4;
      for (let row = 0; row < (end - rows) / ROW_BYTES; row++) {
        const place = words[(rows + row * ROW_BYTES) / 4]! / 4;
        const there = copy / 4 + row * LINE_WORDS;
        let word = 0;
        while (word < LINE_WORDS && words[place + word] === words[there + word]) word++;
        if (word < LINE_WORDS) words[to++] = number + row;
      }
      return to * 4;
    },
    hash: (list, end, rows, copy, sum, kinds) => {
      for (const number of words.subarray(list / 4, end / 4)) {
        const [place, kind] = words.subarray((rows + number * ROW_BYTES) / 4);
        if ((kind! & kinds) === 0) continue;
        longs[sum / 8]! ^= hashOf(longs, number, place!) ^ hashOf(longs, number, copy + number * LINE_BYTES);
      }
    },
    putBack: (list, end, rows, copy) => {
      for (const number of words.subarray(list / 4, end / 4)) {
        const from = copy / 4 + number * LINE_WORDS;
        words.copyWithin(words[(rows + number * ROW_BYTES) / 4]! / 4, from, from + LINE_WORDS);
      }
    },
  };
};
