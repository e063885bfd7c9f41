/**
 * The only source of chance in a machine: one integer seed, four words of state, all of it flat.
 *
 * @source xoshiro128**, Blackman and Vigna 2018; seeded by splitmix32
 */
export class Prng {
  readonly state: Uint32Array;

  constructor(seed: number) {
    this.state = new Uint32Array(4);
    let mix = seed >>> 0;
    // The high half of a seed above 2^32 counts too.
    let high = Math.floor(seed / 2 ** 32) >>> 0;
    for (let word = 0; word < 4; word++) {
      mix = (mix + 0x9e3779b9) >>> 0;
      high = (high + 0x85ebca6b) >>> 0;
      let z = (mix ^ Math.imul(high, 0x27d4eb2f)) >>> 0;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      this.state[word] = (z ^ (z >>> 16)) >>> 0;
    }
  }

  /** A 32-bit unsigned number. */
  next(): number {
    const s = this.state;
    const s1 = s[1]!;
    const product = Math.imul(s1, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    s[2]! ^= s[0]!;
    s[3]! ^= s1;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= s1 << 9;
    s[3] = (s[3]! << 11) | (s[3]! >>> 21);
    return result;
  }

  /** A number from 0 to bound - 1; bound from 1 to 2^20, over which the bias of the remainder is below 2^-12. */
  below(bound: number): number {
    return this.next() % bound;
  }
}
