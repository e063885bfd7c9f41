import { assert } from "../assert.ts";

/** Fractional parts of the cube roots of the first 80 primes, 64 bits each. */
const CONSTANTS = `
  428a2f98d728ae22 7137449123ef65cd b5c0fbcfec4d3b2f e9b5dba58189dbbc 3956c25bf348b538
  59f111f1b605d019 923f82a4af194f9b ab1c5ed5da6d8118 d807aa98a3030242 12835b0145706fbe
  243185be4ee4b28c 550c7dc3d5ffb4e2 72be5d74f27b896f 80deb1fe3b1696b1 9bdc06a725c71235
  c19bf174cf692694 e49b69c19ef14ad2 efbe4786384f25e3 0fc19dc68b8cd5b5 240ca1cc77ac9c65
  2de92c6f592b0275 4a7484aa6ea6e483 5cb0a9dcbd41fbd4 76f988da831153b5 983e5152ee66dfab
  a831c66d2db43210 b00327c898fb213f bf597fc7beef0ee4 c6e00bf33da88fc2 d5a79147930aa725
  06ca6351e003826f 142929670a0e6e70 27b70a8546d22ffc 2e1b21385c26c926 4d2c6dfc5ac42aed
  53380d139d95b3df 650a73548baf63de 766a0abb3c77b2a8 81c2c92e47edaee6 92722c851482353b
  a2bfe8a14cf10364 a81a664bbc423001 c24b8b70d0f89791 c76c51a30654be30 d192e819d6ef5218
  d69906245565a910 f40e35855771202a 106aa07032bbd1b8 19a4c116b8d2d0c8 1e376c085141ab53
  2748774cdf8eeb99 34b0bcb5e19b48a8 391c0cb3c5c95a63 4ed8aa4ae3418acb 5b9cca4f7763e373
  682e6ff3d6b2b8a3 748f82ee5defb2fc 78a5636f43172f60 84c87814a1f0ab72 8cc702081a6439ec
  90befffa23631e28 a4506cebde82bde9 bef9a3f7b2c67915 c67178f2e372532b ca273eceea26619c
  d186b8c721c0c207 eada7dd6cde0eb1e f57d4f7fee6ed178 06f067aa72176fba 0a637dc5a2c898a6
  113f9804bef90dae 1b710b35131c471b 28db77f523047d84 32caab7b40c72493 3c9ebe0a15c9bebc
  431d67c49c100d4c 4cc5d4becb3e42b6 597f299cfc657e2a 5fcb6fab3ad6faec 6c44198c4a475817
`
  .trim()
  .split(/\s+/);
const K_HI = Uint32Array.from(CONSTANTS, (hex) => Number.parseInt(hex.slice(0, 8), 16));
const K_LO = Uint32Array.from(CONSTANTS, (hex) => Number.parseInt(hex.slice(8), 16));

/** Initial value of SHA-384: fractional parts of the square roots of the 9th to 16th prime. */
const INITIAL = [
  0xcbbb9d5d, 0xc1059ed8, 0x629a292a, 0x367cd507, 0x9159015a, 0x3070dd17, 0x152fecd8, 0xf70e5939, 0x67332667,
  0xffc00b31, 0x8eb44a87, 0x68581511, 0xdb0c2e0d, 0x64f98fa7, 0x47b5481d, 0xbefa4fa4,
] as const;

/** Words of a running hash: eight 64-bit values, high half first, and the number of blocks so far. */
export const SHA384_WORDS = 17;
export const SHA384_BLOCK_BYTES = 128;
/** 32-bit words of a digest. */
export const DIGEST_WORDS = 12;

const W_HI = new Uint32Array(80);
const W_LO = new Uint32Array(80);
const S = new Uint32Array(16);

/** Starts a hash in `words` from `at` on. */
export const sha384Start = (words: Uint32Array, at: number): void => {
  words.set(INITIAL, at);
  words[at + 16] = 0;
};

/** Takes one block of 128 bytes. */
export const sha384Block = (words: Uint32Array, at: number, block: Uint8Array): void => {
  assert(block.length === SHA384_BLOCK_BYTES, "a block is 128 bytes");
  compress(words, at, block);
  words[at + 16]!++;
};

/**
 * Ends the hash and writes the digest from `to` on: six 64-bit words in memory order, low half first, as the
 * module keeps its measurement registers. The running hash is spent.
 */
export const sha384Finish = (words: Uint32Array, at: number, to: number): void => {
  const bits = words[at + 16]! * SHA384_BLOCK_BYTES * 8;
  const last = new Uint8Array(SHA384_BLOCK_BYTES);
  last[0] = 0x80;
  const view = new DataView(last.buffer);
  view.setUint32(120, Math.floor(bits / 2 ** 32));
  view.setUint32(124, bits >>> 0);
  compress(words, at, last);
  for (let i = 0; i < DIGEST_WORDS; i++) words[to + i] = swapBytes(words[at + i]!);
};

/** A digest is a run of bytes; as words of this machine its bytes are in the other order. */
const swapBytes = (w: number): number =>
  ((w << 24) | ((w & 0xff00) << 8) | ((w >>> 8) & 0xff00) | (w >>> 24)) >>> 0;

const schedule = (block: Uint8Array): void => {
  const view = new DataView(block.buffer, block.byteOffset, SHA384_BLOCK_BYTES);
  for (let t = 0; t < 16; t++) {
    W_HI[t] = view.getUint32(8 * t);
    W_LO[t] = view.getUint32(8 * t + 4);
  }
  for (let t = 16; t < 80; t++) {
    const h15 = W_HI[t - 15]!;
    const l15 = W_LO[t - 15]!;
    const h2 = W_HI[t - 2]!;
    const l2 = W_LO[t - 2]!;
    const s0Hi = ((h15 >>> 1) | (l15 << 31)) ^ ((h15 >>> 8) | (l15 << 24)) ^ (h15 >>> 7);
    const s0Lo = ((l15 >>> 1) | (h15 << 31)) ^ ((l15 >>> 8) | (h15 << 24)) ^ ((l15 >>> 7) | (h15 << 25));
    const s1Hi = ((h2 >>> 19) | (l2 << 13)) ^ ((l2 >>> 29) | (h2 << 3)) ^ (h2 >>> 6);
    const s1Lo = ((l2 >>> 19) | (h2 << 13)) ^ ((h2 >>> 29) | (l2 << 3)) ^ ((l2 >>> 6) | (h2 << 26));
    const lo = (s0Lo >>> 0) + (s1Lo >>> 0) + W_LO[t - 7]! + W_LO[t - 16]!;
    W_LO[t] = lo;
    W_HI[t] = s0Hi + s1Hi + W_HI[t - 7]! + W_HI[t - 16]! + Math.floor(lo / 2 ** 32);
  }
};

const compress = (words: Uint32Array, at: number, block: Uint8Array): void => {
  schedule(block);
  for (let i = 0; i < 16; i++) S[i] = words[at + i]!;
  for (let t = 0; t < 80; t++) round(t);
  for (let i = 0; i < 16; i += 2) {
    const lo = words[at + i + 1]! + S[i + 1]!;
    words[at + i + 1] = lo;
    words[at + i] = words[at + i]! + S[i]! + Math.floor(lo / 2 ** 32);
  }
};

/** One round over the eight 64-bit values a to h in `S`, high half first. */
const round = (t: number): void => {
  const [eh, el, ah, al] = [S[8]!, S[9]!, S[0]!, S[1]!];
  const big1Hi = ((eh >>> 14) | (el << 18)) ^ ((eh >>> 18) | (el << 14)) ^ ((el >>> 9) | (eh << 23));
  const big1Lo = ((el >>> 14) | (eh << 18)) ^ ((el >>> 18) | (eh << 14)) ^ ((eh >>> 9) | (el << 23));
  const chHi = (eh & S[10]!) ^ (~eh & S[12]!);
  const chLo = (el & S[11]!) ^ (~el & S[13]!);
  const lo1 = S[15]! + (big1Lo >>> 0) + (chLo >>> 0) + K_LO[t]! + W_LO[t]!;
  const hi1 = S[14]! + big1Hi + chHi + K_HI[t]! + W_HI[t]! + Math.floor(lo1 / 2 ** 32);
  const big0Hi = ((ah >>> 28) | (al << 4)) ^ ((al >>> 2) | (ah << 30)) ^ ((al >>> 7) | (ah << 25));
  const big0Lo = ((al >>> 28) | (ah << 4)) ^ ((ah >>> 2) | (al << 30)) ^ ((ah >>> 7) | (al << 25));
  const majHi = (ah & S[2]!) ^ (ah & S[4]!) ^ (S[2]! & S[4]!);
  const majLo = (al & S[3]!) ^ (al & S[5]!) ^ (S[3]! & S[5]!);
  const lo2 = (lo1 >>> 0) + (big0Lo >>> 0) + (majLo >>> 0);
  const hi2 = hi1 + big0Hi + majHi + Math.floor(lo2 / 2 ** 32);
  const eLo = S[7]! + (lo1 >>> 0);
  const eHi = S[6]! + hi1 + Math.floor(eLo / 2 ** 32);
  S.copyWithin(2, 0, 14);
  S[8] = eHi;
  S[9] = eLo;
  S[0] = hi2;
  S[1] = lo2;
};
