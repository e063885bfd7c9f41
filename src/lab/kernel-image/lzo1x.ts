import { DecodeError } from "../../abi/bytes.ts";
import { copyMatch } from "./copy-match.ts";

const WHAT = "LZO data";
/** The last instruction copied four literals or more. */
const LONG_RUN = 4;
/** Distance of the instruction that ends a block. */
const END = 16384;

/** Undoes LZO1X: one block, which knows only its own output. */
class Lzo1xDecoder {
  private readonly input: Uint8Array;
  private readonly output: Uint8Array;
  private readonly end: number;
  private at: number;
  private to = 0;
  /** Literals that the last instruction copied, 0 to 3, or LONG_RUN. */
  private state = 0;

  constructor(input: Uint8Array, at: number, end: number, output: Uint8Array) {
    this.input = input;
    this.output = output;
    this.at = at;
    this.end = end;
  }

  /** @returns bytes that came out */
  run(): number {
    this.firstLiterals();
    while (this.instruction());
    if (this.at !== this.end) this.broken("the block's end", `${this.end - this.at} more bytes`);
    return this.to;
  }

  private broken(expected: string, found: string): never {
    throw new DecodeError(WHAT, this.at, expected, found);
  }

  private next(): number {
    if (this.at >= this.end) this.broken("an instruction that ends inside its block", "the block's end");
    return this.input[this.at++]!;
  }

  /** Two bytes: 14 bits of a distance and 2 of a state. */
  private pair(): number {
    const low = this.next();
    return low | (this.next() << 8);
  }

  /** A length field of 0 goes on in bytes, up to and including the first that is not 0. */
  private longLength(field: number, base: number): number {
    if (field !== 0) return field;
    let length = base;
    for (let byte = this.next(); ; byte = this.next()) {
      if (byte !== 0) return length + byte;
      length += 255;
    }
  }

  /** A block may begin with literals whose number is the first byte less 17. */
  private firstLiterals(): void {
    const first = this.input[this.at];
    if (this.at >= this.end || first === undefined || first <= 17) return;
    this.at++;
    this.literals(first - 17);
    this.state = Math.min(first - 17, LONG_RUN);
  }

  /** @returns false at the end */
  private instruction(): boolean {
    const op = this.next();
    if (op >= 64) {
      const length = op >= 128 ? 5 + ((op >> 5) & 3) : 3 + ((op >> 5) & 1);
      return this.match((this.next() << 3) + ((op >> 2) & 7) + 1, length, op & 3);
    }
    if (op >= 32) {
      const length = 2 + this.longLength(op & 31, 31);
      const pair = this.pair();
      return this.match((pair >> 2) + 1, length, pair & 3);
    }
    if (op >= 16) {
      const length = 2 + this.longLength(op & 7, 7);
      const pair = this.pair();
      const distance = END + ((op & 8) << 11) + (pair >> 2);
      return distance === END ? false : this.match(distance, length, pair & 3);
    }
    if (this.state === 0) {
      this.literals(3 + this.longLength(op, 15));
      this.state = LONG_RUN;
      return true;
    }
    const near = (this.next() << 2) + (op >> 2);
    return this.state === LONG_RUN ? this.match(near + 2049, 3, op & 3) : this.match(near + 1, 2, op & 3);
  }

  private room(length: number): void {
    const { to, output } = this;
    if (to + length > output.length) this.broken(`at most ${output.length} bytes of output`, "more");
  }

  private literals(count: number): void {
    if (this.at + count > this.end)
      this.broken(`${count} literals inside their block`, `${this.end - this.at}`);
    this.room(count);
    this.output.set(this.input.subarray(this.at, this.at + count), this.to);
    this.at += count;
    this.to += count;
  }

  private match(distance: number, length: number, literals: number): true {
    if (distance > this.to) this.broken(`a distance of at most ${this.to}`, `${distance}`);
    this.room(length);
    copyMatch(this.output, this.to, distance, length);
    this.to += length;
    this.literals(literals);
    this.state = literals;
    return true;
  }
}

/**
 * Decompresses the LZO1X block in bytes [at, end) of `input`.
 *
 * @param output takes what comes out, and no more
 * @returns bytes that came out
 * @throws DecodeError if the block is damaged, or holds more
 * @source Linux Documentation/staging/lzo.rst
 * @missing the run-length instruction of LZO-RLE, which lzop does not write
 */
export const decompressLzo1x = (input: Uint8Array, at: number, end: number, output: Uint8Array): number =>
  new Lzo1xDecoder(input, at, end, output).run();
