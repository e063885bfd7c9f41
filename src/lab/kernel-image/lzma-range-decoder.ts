import { DecodeError } from "../../abi/bytes.ts";

/** A probability of one half: of 2048. */
const HALF = 1024;
const MODEL_BITS = 11;
const ADAPT = 5;
const TOP = 2 ** 24;
/** Bytes that the coder reads before the first bit; the first of them is 0. */
const HEAD = 5;

/** Probabilities that a bit is 0, each one half at first. */
export const evenOdds = (count: number): Uint16Array => new Uint16Array(count).fill(HALF);

/** LZMA's range decoder: bits out of bytes, each by a probability that learns from it. */
export class RangeDecoder {
  private readonly input: Uint8Array;
  private readonly odds: Uint16Array;
  private at: number;
  private range = 2 ** 32 - 1;
  private code = 0;

  /** @throws DecodeError if the data does not begin as the coder's does */
  constructor(input: Uint8Array, at: number, odds: Uint16Array) {
    this.input = input;
    this.odds = odds;
    this.at = at;
    const first = this.next();
    if (first !== 0) throw new DecodeError("LZMA data", at, "a first byte of 0", `${first}`);
    for (let n = 1; n < HEAD; n++) this.code = ((this.code << 8) | this.next()) >>> 0;
  }

  /** All that the encoder wrote was used up. */
  get isThrough(): boolean {
    return this.code === 0;
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.at;
  }

  private next(): number {
    const byte = this.input[this.at];
    if (byte === undefined) throw new DecodeError("LZMA data", this.at, "more data", "the end of the file");
    this.at++;
    return byte;
  }

  private normalise(): void {
    if (this.range >= TOP) return;
    this.range = (this.range << 8) >>> 0;
    this.code = ((this.code << 8) | this.next()) >>> 0;
  }

  /** A bit whose probability lies at `place`. */
  bit(place: number): number {
    this.normalise();
    const odds = this.odds[place]!;
    const bound = (this.range >>> MODEL_BITS) * odds;
    if (this.code < bound) {
      this.range = bound;
      this.odds[place] = odds + ((2048 - odds) >>> ADAPT);
      return 0;
    }
    this.range -= bound;
    this.code -= bound;
    this.odds[place] = odds - (odds >>> ADAPT);
    return 1;
  }

  /** Bits that are 0 or 1 with equal chance, the highest first. */
  direct(count: number): number {
    let value = 0;
    for (let n = 0; n < count; n++) {
      this.normalise();
      this.range >>>= 1;
      const one = this.code >= this.range ? 1 : 0;
      if (one === 1) this.code -= this.range;
      value = value * 2 + one;
    }
    return value;
  }

  /** A number of so many bits, the highest first, by a tree of probabilities. */
  tree(place: number, bits: number): number {
    let node = 1;
    for (let n = 0; n < bits; n++) node = 2 * node + this.bit(place + node);
    return node - 2 ** bits;
  }

  /** As `tree`, the lowest bit first. */
  reverseTree(place: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let n = 0; n < bits; n++) {
      const bit = this.bit(place + node);
      node = 2 * node + bit;
      value += bit * 2 ** n;
    }
    return value;
  }
}
