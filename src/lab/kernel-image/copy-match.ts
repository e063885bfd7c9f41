/** Repeats what was written before. The source may overlap what is written: that is how a short pattern is repeated. */
export const copyMatch = (output: Uint8Array, to: number, distance: number, length: number): void => {
  if (distance >= length) {
    output.copyWithin(to, to - distance, to - distance + length);
    return;
  }
  for (let i = to; i < to + length; i++) output[i] = output[i - distance]!;
};
