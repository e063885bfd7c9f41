import { expect, it } from "vitest";
import type { KnownStep } from "./known-steps.ts";
import { KnownSteps } from "./known-steps.ts";

/** A step that looks at words in this order. */
const stepOf = (result: number, seen: readonly (readonly [number: number, value: number])[]): KnownStep => ({
  result,
  next: [],
  numbers: Int32Array.from(seen, ([number]) => number),
  values: Uint32Array.from(seen, ([, value]) => value),
  touched: new Uint8Array(seen.length),
  changed: new Uint8Array(seen.length),
});

const CHOICE = 7;
/** Word 0 decides whether word 1 or word 2 is looked at, and word 1 whether word 2 is. */
const STEPS = [
  [
    [0, 0],
    [2, 5],
  ],
  [
    [0, 0],
    [2, 6],
  ],
  [
    [0, 1],
    [1, 0],
  ],
  [
    [0, 1],
    [1, 1],
    [2, 5],
  ],
  [
    [0, 1],
    [1, 1],
    [2, 6],
  ],
] as const;

const ORDERS = [
  [0, 1, 2, 3, 4],
  [4, 3, 2, 1, 0],
  [3, 0, 4, 2, 1],
];

it.each(ORDERS)("finds a step by what it looks at, whichever was learnt first (%i, %i, ...)", (...order) => {
  let memory = [0, 0, 0];
  const known = new KnownSteps((number) => memory[number]!);
  for (const number of order) expect(known.add(CHOICE, stepOf(number, STEPS[number]!))).toBe(true);
  const found = (...now: number[]): number | undefined => {
    memory = now;
    return known.find(CHOICE)?.result;
  };
  expect([found(0, 9, 5), found(0, 9, 6), found(1, 0, 9), found(1, 1, 5), found(1, 1, 6)]).toEqual([
    0, 1, 2, 3, 4,
  ]);
  expect([found(0, 9, 7), found(1, 2, 5), found(2, 0, 0), found(1, 1, 7)]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(known.find(CHOICE + 1)).toBeUndefined();
});

it("does not take in a step that looks elsewhere although it saw the same before", () => {
  const known = new KnownSteps(() => 0);
  expect(
    known.add(
      CHOICE,
      stepOf(0, [
        [0, 0],
        [1, 3],
      ]),
    ),
  ).toBe(true);
  expect(
    known.add(
      CHOICE,
      stepOf(0, [
        [0, 0],
        [2, 3],
      ]),
    ),
  ).toBe(false);
  expect(known.add(CHOICE, stepOf(0, [[0, 0]]))).toBe(false);
});
