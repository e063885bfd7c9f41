import { assert } from "../assert.ts";

type FlatArray = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/** The used part of one flat array, as bytes. It aliases the array: writing here changes the state. */
export type FlatRange = Uint8Array;

/** The first `length` elements of an array as bytes. */
export const range = (array: FlatArray, length: number): FlatRange =>
  new Uint8Array(array.buffer, array.byteOffset, length * array.BYTES_PER_ELEMENT);

/** Something whose whole state is flat arrays. */
export interface Flat {
  /** Used parts of all arrays; the first tells the lengths of the others. */
  flat(): readonly FlatRange[];
  /** After the first array was overwritten: makes the others as long as it says. */
  reserve(): void;
}

/** Bytes that `save` writes. */
export const flatSize = (part: Flat): number => part.flat().reduce((size, bytes) => size + bytes.length, 0);

/** Copies the state into `to` from `offset` on; answers the offset behind it. */
export const saveFlat = (part: Flat, to: Uint8Array, offset: number): number => {
  let at = offset;
  for (const bytes of part.flat()) {
    to.set(bytes, at);
    at += bytes.length;
  }
  return at;
};

/** Copies a state that `saveFlat` wrote back; answers the offset behind it. */
export const loadFlat = (part: Flat, from: Uint8Array, offset: number): number => {
  const head = part.flat()[0];
  assert(head !== undefined, "a flat state has at least one array");
  head.set(from.subarray(offset, offset + head.length));
  part.reserve();
  let at = offset + head.length;
  for (const bytes of part.flat().slice(1)) {
    bytes.set(from.subarray(at, at + bytes.length));
    at += bytes.length;
  }
  return at;
};
