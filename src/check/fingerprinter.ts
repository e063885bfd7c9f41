import { hashWords } from "./fingerprint.ts";
import type { System } from "./system.ts";

/**
 * Takes the fingerprint of a system's current state: the system's own, or the hash of its key.
 *
 * Neither half is ever 0, which is what a free slot of a table holds. That costs two of 2^32 values a half.
 */
export class Fingerprinter {
  /** The last fingerprint: [0] decides where in a table it is looked for. */
  readonly halves = new Uint32Array(2);
  private readonly bytes: Uint8Array;
  private readonly words: Uint32Array;
  private readonly seed: number;

  constructor(keyBytes: number, seed: number) {
    const buffer = new ArrayBuffer(Math.ceil(keyBytes / 4) * 4);
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.seed = seed;
  }

  take(system: System): void {
    const { halves } = this;
    if (system.fingerprint !== undefined) system.fingerprint(halves);
    else this.hashKey(system);
    this.makeWhole();
  }

  /** Asks a system what the choices of its state come to, as System.foresee. */
  foresee(
    system: System,
    count: number,
    results: Int8Array,
    firsts: Uint32Array,
    seconds: Uint32Array,
  ): void {
    system.foresee!(count, results, firsts, seconds);
    for (let at = 0; at < count; at++) {
      if (firsts[at] === 0) firsts[at] = 1;
      if (seconds[at] === 0) seconds[at] = 1;
    }
  }

  private makeWhole(): void {
    const { halves } = this;
    if (halves[0] === 0) halves[0] = 1;
    if (halves[1] === 0) halves[1] = 1;
  }

  private hashKey(system: System): void {
    const { bytes } = this;
    const length = system.key(bytes, 0);
    const count = (length + 3) >>> 2;
    for (let at = length; at < count * 4; at++) bytes[at] = 0;
    // The length tells keys apart that differ only in zeros at their end.
    hashWords(this.words, count, this.seed ^ length, this.halves);
  }
}
