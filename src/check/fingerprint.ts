/**
 * A hash of 64 bits of some words, as two halves of 32 bits.
 *
 * Two lanes in the manner of MurmurHash3: each multiplies, turns and multiplies every word with constants of its
 * own before it takes the word in, and takes the other lane in after each word, so that a difference that one lane
 * loses is kept by the other. At the end both lanes are mixed until each bit depends on all.
 *
 * @param seed another seed, another hash: what one run left out by a collision, a second run finds
 * @source MurmurHash3, Austin Appleby, public domain: the constants and the final mix
 */
export const hashWords = (words: Uint32Array, count: number, seed: number, halves: Uint32Array): void => {
  let a = seed | 0;
  let b = (seed ^ 0x9e3779b9) | 0;
  for (let at = 0; at < count; at++) {
    const word = words[at]! | 0;
    let x = Math.imul(word, 0xcc9e2d51);
    x = Math.imul((x << 15) | (x >>> 17), 0x1b873593);
    a ^= x;
    a = ((a << 13) | (a >>> 19)) + b;
    a = (Math.imul(a, 5) + 0xe6546b64) | 0;
    let y = Math.imul(word, 0x239b961b);
    y = Math.imul((y << 17) | (y >>> 15), 0xab0e9789);
    b ^= y;
    b = ((b << 17) | (b >>> 15)) + a;
    b = (Math.imul(b, 5) + 0x0bcaa747) | 0;
  }
  a ^= count;
  b ^= count;
  a = (a + b) | 0;
  b = (b + a) | 0;
  a = finalMix(a);
  b = finalMix(b);
  a = (a + b) | 0;
  b = (b + a) | 0;
  halves[0] = a;
  halves[1] = b;
};

const finalMix = (mixed: number): number => {
  let h = mixed ^ (mixed >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
};
