import { expect, it } from "vitest";
import type { Accesses } from "./access-trace.ts";
import { Futures, isApart } from "./futures.ts";

const WORDS = 4;

/** Bytes that a step touches and changes, by word. */
const step = (
  ...bytes: readonly (readonly [number: number, touched: number, changed: number])[]
): Accesses => ({
  numbers: Int32Array.from(bytes, ([number]) => number),
  touched: Uint8Array.from(bytes, ([, touched]) => touched),
  changed: Uint8Array.from(bytes, ([, , changed]) => changed),
  values: new Uint32Array(bytes.length),
});

it("a future is all that may be done from somewhere on, and nothing is known of it while part of it was never tried", () => {
  const futures = new Futures(WORDS);
  const [first, then, last] = [futures.at([1, 10]), futures.at([1, 20]), futures.at([2, 20])];
  expect(futures.at([1, 20, 99], 2)).toBe(then);
  futures.note(first, step([0, 1, 0]), [then]);
  futures.note(last, step([3, 15, 15]), []);
  expect(futures.of(first)).toBeUndefined();
  futures.note(then, step([1, 2, 2]), [last, first]);
  const future = futures.of(first)!;
  expect([[...future.touched], [...future.changed]]).toEqual([
    [1, 2, 0, 15],
    [0, 2, 0, 15],
  ]);
  expect([[...futures.of(last)!.touched]]).toEqual([[0, 0, 0, 15]]);
});

it("steps are apart from a future if neither changes bytes that the other touches", () => {
  const futures = new Futures(WORDS);
  const location = futures.at([0, 1]);
  futures.note(location, step([0, 3, 0], [1, 4, 4]), []);
  const future = futures.of(location)!;
  expect(isApart(step([0, 3, 0], [1, 3, 3], [2, 15, 15]), future)).toBe(true);
  expect(isApart(step([0, 1, 1]), future)).toBe(false);
  expect(isApart(step([1, 4, 0]), future)).toBe(false);
});

it("is surprised by what becomes known of a location that was relied upon, and by nothing else", () => {
  const futures = new Futures(WORDS);
  const [first, then, other] = [futures.at([1, 1]), futures.at([1, 2]), futures.at([2, 1])];
  for (const location of [first, then, other]) futures.note(location, step([0, 1, 0]), []);
  futures.note(first, step(), [then]);
  futures.relyOn(futures.of(first)!);
  futures.note(first, step([0, 1, 0]), [then]);
  futures.note(other, step([3, 1, 1]), [first]);
  expect(futures.surprised).toBe(false);
  futures.note(then, step([0, 1, 1]), []);
  expect(futures.surprised).toBe(true);
});

it("what is known can be put down, and gone on from", () => {
  const futures = new Futures(WORDS);
  const [first, then] = [futures.at([1, 1]), futures.at([1, 1, 5])];
  futures.note(first, step([0, 1, 0], [2, 15, 8]), [then]);
  futures.note(then, step([3, 2, 2]), [first]);
  const again = new Futures(WORDS, JSON.parse(JSON.stringify(futures.known())));
  expect(again.known()).toEqual(futures.known());
  expect([...again.of(again.at([1, 1]))!.changed]).toEqual([0, 0, 8, 2]);
});
