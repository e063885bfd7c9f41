/** A longer copy of an array, the new part zero. */
export const grown8 = (old: Uint8Array, length: number): Uint8Array => {
  const longer = new Uint8Array(length);
  longer.set(old);
  return longer;
};
export const grown16 = (old: Uint16Array, length: number): Uint16Array => {
  const longer = new Uint16Array(length);
  longer.set(old);
  return longer;
};
export const grown32 = (old: Uint32Array, length: number): Uint32Array => {
  const longer = new Uint32Array(length);
  longer.set(old);
  return longer;
};

/** The capacity to grow to, by doubling from `capacity`, so that `needed` elements fit. */
export const capacityFor = (capacity: number, needed: number): number => {
  let length = Math.max(capacity, 1);
  while (length < needed) length *= 2;
  return length;
};
