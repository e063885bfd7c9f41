/** Numbers that look random and are the same for the same seed. */
export const numbers = (seed: number): ((below: number) => number) => {
  let state = (seed ^ 0x9e37_79b9) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
};

const INTERESTING = [0, 1, 0x0a, 0x20, 0x22, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d, 0x7f, 0x80, 0xff];

/**
 * One input made from a collection: a piece of one sample, sometimes with a piece of another behind it, with bytes
 * changed, repeated and cut.
 *
 * @param seed decides everything, so a seed that shows a fault is worth keeping
 */
export const mutated = (samples: readonly Uint8Array[], seed: number, longest = 1500): Uint8Array => {
  const below = numbers(seed);
  const piece = (): Uint8Array => {
    const sample = samples[below(samples.length)]!;
    // Tables are damaged from their start, logs anywhere.
    const at = sample.length > longest ? below(sample.length - longest) : 0;
    return sample.subarray(at, at + 1 + below(longest));
  };
  const [first, second] = [piece(), below(3) === 0 ? piece() : new Uint8Array()];
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  for (let i = below(8); i > 0; i--) {
    const at = below(bytes.length);
    if (below(4) === 0) bytes.copyWithin(at, below(bytes.length), bytes.length);
    else bytes[at] = below(2) === 0 ? INTERESTING[below(INTERESTING.length)]! : below(256);
  }
  return below(4) === 0 ? bytes.subarray(0, below(bytes.length + 1)) : bytes;
};
