import { hashWords } from "../../fingerprint.ts";
import type { ApartTeller } from "../memory/apart.ts";
import { LINE_WORDS } from "../memory/line.ts";
import type { Mirror } from "../memory/mirror.ts";

/** A word of an arena that is part of something. */
export interface PartWord {
  readonly place: number;
  /** What it is called in its part. */
  readonly index: number;
  /** What it says, by what it holds. Left out: just that. */
  readonly says?: ((value: number) => number) | undefined;
}

const same = (value: number): number => value;

/**
 * Hashes of parts of an arena, two halves each, at a search's origin. It is the exclusive or of hashes of the words that do not say 0,
 * each with what it is called in its part: so it changes with the words that change, and parts that say the same under the same names
 * have one hash, wherever they are.
 */
export class PartHashes implements ApartTeller {
  /** Two halves a part. */
  readonly sums: Uint32Array;
  private readonly words: Uint32Array;
  /** By word of the arena: number of a word of a part, plus 1; 0: it is none. */
  private readonly numbers: Uint32Array;
  private readonly told: readonly PartWord[];
  /** By number of a word: its part. */
  private readonly partOf: Uint16Array;
  private readonly base: Uint32Array;
  private readonly pair = new Uint32Array(2);
  private readonly halves = new Uint32Array(2);

  /** The arena is at the base. @param parts that share no word */
  constructor(words: Uint32Array, parts: readonly (readonly PartWord[])[]) {
    this.words = words;
    this.told = parts.flat();
    this.partOf = Uint16Array.from(parts.flatMap((part, number) => part.map(() => number)));
    const end = this.told.reduce((most, { place }) => Math.max(most, place + 1), 0);
    this.numbers = new Uint32Array(end);
    for (const [number, { place }] of this.told.entries()) this.numbers[place] = number + 1;
    this.base = new Uint32Array(2 * parts.length);
    this.sums = new Uint32Array(2 * parts.length);
    this.takeAll(this.base);
    this.clear();
  }

  clear(): void {
    this.sums.set(this.base);
  }

  take(mirror: Mirror): void {
    this.change(mirror, this.sums);
  }

  /** Takes into hashes of parts in what words memory and a mirror's copy differ. @returns bits of their parts; some may share one */
  change({ differing, firsts, copy, count }: Mirror, sums: Uint32Array): number {
    const { words, numbers } = this;
    let parts = 0;
    for (let at = 0; at < count; at++) {
      const line = differing[at]!;
      const first = firsts[line]!;
      if (first >= numbers.length) continue;
      for (let word = 0; word < LINE_WORDS; word++) {
        const number = numbers[first + word]!;
        const now = words[first + word]!;
        const then = copy[line * LINE_WORDS + word]!;
        if (now === then || number === 0) continue;
        parts |= 1 << (this.partOf[number - 1]! % 32);
        this.add(number - 1, then, sums);
        this.add(number - 1, now, sums);
      }
    }
    return parts;
  }

  /** Takes all that the arena holds now into hashes of parts. */
  takeAll(sums: Uint32Array): void {
    for (const [number, { place }] of this.told.entries()) this.add(number, this.words[place]!, sums);
  }

  /** What the words of a part say now, but for zeros at its end. */
  said(part: number): number[] {
    const said = this.told
      .filter((_, number) => this.partOf[number] === part)
      .map(({ place, says = same }) => says(this.words[place]!) >>> 0);
    return said.slice(0, said.findLastIndex((word) => word !== 0) + 1);
  }

  private add(number: number, value: number, sums: Uint32Array): void {
    const { pair, halves } = this;
    const { index, says } = this.told[number]!;
    const said = says === undefined ? value : says(value) >>> 0;
    if (said === 0) return;
    pair[0] = index;
    pair[1] = said;
    hashWords(pair, 2, 0, halves);
    const part = 2 * this.partOf[number]!;
    sums[part]! ^= halves[0]!;
    sums[part + 1]! ^= halves[1]!;
  }
}
