import { DecodeError } from "../../abi/bytes.ts";
import { copyMatch } from "./copy-match.ts";
import { evenOdds, RangeDecoder } from "./lzma-range-decoder.ts";

const WHAT = "LZMA data";
const HEADER = 13;
const UNKNOWN_SIZE = 2n ** 64n - 1n;
/** Combinations of the literal context, literal position and position bits. */
const MOST_PROPERTIES = 9 * 5 * 5;

const STATES = 12;
/** Places for each state, for each of 16 positions. */
const BY_POSITION = STATES * 16;
/** Two bits that choose, 8 lengths for each of 16 positions twice, 256 lengths. */
const LENGTHS = 2 + 16 * 8 + 16 * 8 + 256;
const LITERAL_TREES = 0x300;

/** Where the probabilities of each kind begin. */
const PLACE = (() => {
  const isMatch = 0;
  const isRepeat = isMatch + BY_POSITION;
  const isRepeatOf0 = isRepeat + STATES;
  const isRepeatOf1 = isRepeatOf0 + STATES;
  const isRepeatOf2 = isRepeatOf1 + STATES;
  const isLong = isRepeatOf2 + STATES;
  const slot = isLong + BY_POSITION;
  const special = slot + 4 * 64;
  const aligned = special + 128;
  const length = aligned + 16;
  const repeatLength = length + LENGTHS;
  const literal = repeatLength + LENGTHS;
  return {
    ...{ isMatch, isRepeat, isRepeatOf0, isRepeatOf1, isRepeatOf2, isLong },
    ...{ slot, special, aligned, length, repeatLength, literal },
  };
})();

/** The state after a literal, and after each kind of match: before state 7 the last was a literal, from it on a match. */
const afterLiteral = (state: number): number => (state < 4 ? 0 : state < 10 ? state - 3 : state - 6);
const afterMatch = (state: number): number => (state < 7 ? 7 : 10);
const afterRepeat = (state: number): number => (state < 7 ? 8 : 11);
const afterShortRepeat = (state: number): number => (state < 7 ? 9 : 11);

const SHORTEST = 2;

interface Properties {
  readonly literalContextBits: number;
  readonly literalPositionBits: number;
  readonly positionBits: number;
}

/** Undoes LZMA into a buffer of the most bytes that may come out, which is its dictionary too. */
class LzmaDecoder {
  private readonly range: RangeDecoder;
  private readonly properties: Properties;
  private readonly output: Uint8Array;
  private to = 0;
  private state = 0;
  /** The last four distances, less one. */
  private readonly repeats = [0, 0, 0, 0];

  constructor(input: Uint8Array, properties: Properties, output: Uint8Array) {
    const { literalContextBits, literalPositionBits } = properties;
    const trees = LITERAL_TREES << (literalContextBits + literalPositionBits);
    this.range = new RangeDecoder(input, HEADER, evenOdds(PLACE.literal + trees));
    this.properties = properties;
    this.output = output;
  }

  /** @param size bytes that come out; undefined if a marker ends them */
  run(size: number | undefined): Uint8Array {
    const { range, properties } = this;
    while (this.to !== size) {
      const position = this.to & ((1 << properties.positionBits) - 1);
      if (range.bit(PLACE.isMatch + this.state * 16 + position) === 0) this.literal();
      else if (!this.match(position)) break;
    }
    if (size === undefined ? !range.isThrough : this.to !== size)
      this.broken(`${size ?? "all"} bytes of output at the end`, `${this.to}`);
    return this.output.subarray(0, this.to);
  }

  private broken(expected: string, found: string): never {
    throw new DecodeError(WHAT, this.range.offset, expected, found);
  }

  private room(length: number): void {
    const { to, output } = this;
    if (to + length > output.length) this.broken(`at most ${output.length} bytes of output`, "more");
  }

  private literal(): void {
    const { range, properties, output, to } = this;
    const { literalContextBits, literalPositionBits } = properties;
    this.room(1);
    const before = to === 0 ? 0 : output[to - 1]!;
    const low = to & ((1 << literalPositionBits) - 1);
    const context = (low << literalContextBits) + (before >> (8 - literalContextBits));
    const place = PLACE.literal + LITERAL_TREES * context;
    let node = 1;
    if (this.state >= 7) {
      // After a match the byte at its distance is a guess, as long as its bits are right.
      let guess = output[to - this.repeats[0]! - 1]!;
      while (node < 0x100) {
        const expected = (guess >> 7) & 1;
        guess <<= 1;
        const bit = range.bit(place + ((1 + expected) << 8) + node);
        node = 2 * node + bit;
        if (bit !== expected) break;
      }
    }
    while (node < 0x100) node = 2 * node + range.bit(place + node);
    output[to] = node & 0xff;
    this.to++;
    this.state = afterLiteral(this.state);
  }

  /** @returns false at the marker that ends the data */
  private match(position: number): boolean {
    const { range, repeats, state } = this;
    if (range.bit(PLACE.isRepeat + state) === 1) {
      this.repeat(position);
      return true;
    }
    const length = this.length(PLACE.length, position);
    const distance = this.distance(length);
    if (distance === 2 ** 32 - 1) return false;
    repeats.unshift(distance);
    repeats.pop();
    this.state = afterMatch(state);
    this.copy(length);
    return true;
  }

  private repeat(position: number): void {
    const { range, repeats, state } = this;
    if (range.bit(PLACE.isRepeatOf0 + state) === 0) {
      if (range.bit(PLACE.isLong + state * 16 + position) === 0) {
        this.state = afterShortRepeat(state);
        this.copy(1);
        return;
      }
    } else {
      const of1 = range.bit(PLACE.isRepeatOf1 + state) === 0;
      const which = of1 ? 1 : 2 + range.bit(PLACE.isRepeatOf2 + state);
      repeats.unshift(...repeats.splice(which, 1));
    }
    const length = this.length(PLACE.repeatLength, position);
    this.state = afterRepeat(state);
    this.copy(length);
  }

  private length(place: number, position: number): number {
    const { range } = this;
    if (range.bit(place) === 0) return SHORTEST + range.tree(place + 2 + 8 * position, 3);
    if (range.bit(place + 1) === 0) return SHORTEST + 8 + range.tree(place + 130 + 8 * position, 3);
    return SHORTEST + 16 + range.tree(place + 258, 8);
  }

  private distance(length: number): number {
    const { range } = this;
    const slot = range.tree(PLACE.slot + 64 * Math.min(length - SHORTEST, 3), 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = (2 + (slot & 1)) * 2 ** bits;
    if (slot < 14) return base + range.reverseTree(PLACE.special + base - slot, bits);
    return base + range.direct(bits - 4) * 16 + range.reverseTree(PLACE.aligned, 4);
  }

  private copy(length: number): void {
    const distance = this.repeats[0]! + 1;
    if (distance > this.to) this.broken(`a distance of at most ${this.to}`, `${distance}`);
    this.room(length);
    copyMatch(this.output, this.to, distance, length);
    this.to += length;
  }
}

const propertiesOf = (byte: number): Properties => {
  if (byte >= MOST_PROPERTIES)
    throw new DecodeError(WHAT, 0, `a properties byte below ${MOST_PROPERTIES}`, `${byte}`);
  return {
    literalContextBits: byte % 9,
    literalPositionBits: Math.floor(byte / 9) % 5,
    positionBits: Math.floor(byte / 45),
  };
};

/**
 * Decompresses what `lzma` and the kernel's build write: properties, dictionary size, size, and one stream. What is
 * behind its end is left alone.
 *
 * @param limit bytes of output at most
 * @throws DecodeError if the data is damaged, ends early or holds more
 * @source LZMA specification (7-zip, lzma-specification.txt)
 */
export const decompressLzmaAlone = (input: Uint8Array, limit: number): Uint8Array => {
  if (input.length < HEADER) throw new DecodeError(WHAT, 0, `a header of ${HEADER} bytes`, `${input.length}`);
  const size = new DataView(input.buffer, input.byteOffset).getBigUint64(5, true);
  if (size !== UNKNOWN_SIZE && size > BigInt(limit))
    throw new DecodeError(WHAT, 5, `a size of at most ${limit}`, `${size}`);
  const decoder = new LzmaDecoder(input, propertiesOf(input[0]!), new Uint8Array(limit));
  return decoder.run(size === UNKNOWN_SIZE ? undefined : Number(size));
};
