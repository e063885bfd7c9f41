import { assert } from "../assert.ts";

/** Nothing is arranged for the request. */
export const NOT_ARRANGED = -3;

/**
 * Answers that an operator or an explorer arranged: "the next n requests of type T get R".
 *
 * One flat list, first match first. An arranged answer replaces only a success: a request that the device
 * must refuse anyway is refused as ever and uses none up.
 */
export class Injection {
  /** Triples (type, answer, how many are left); those with nothing left are at the end. */
  readonly words: Int32Array;

  constructor(capacity = 16) {
    assert(capacity > 0, "an injection list holds at least one rule");
    this.words = new Int32Array(capacity * 3);
  }

  /** Arranges `count` answers; false when the list is full. */
  arrange(type: number, answer: number, count: number): boolean {
    const words = this.words;
    for (let at = 0; at < words.length; at += 3) {
      if (words[at + 2] !== 0) continue;
      words[at] = type;
      words[at + 1] = answer;
      words[at + 2] = count;
      return true;
    }
    return false;
  }

  /** Uses one arranged answer for a request of this type up; NOT_ARRANGED when there is none. */
  take(type: number): number {
    const words = this.words;
    for (let at = 0; at < words.length && words[at + 2] !== 0; at += 3) {
      if (words[at] !== type) continue;
      const answer = words[at + 1]!;
      if (--words[at + 2]! === 0) this.drop(at);
      return answer;
    }
    return NOT_ARRANGED;
  }

  get isEmpty(): boolean {
    return this.words[2] === 0;
  }

  clear(): void {
    this.words.fill(0);
  }

  /** Closes the gap, so that the rules stay in the order in which they were arranged. */
  private drop(at: number): void {
    this.words.copyWithin(at, at + 3);
    this.words.fill(0, this.words.length - 3);
  }
}
