import { expect, it } from "vitest";
import { Spare } from "./spare.ts";

const bytes = () => new Spare((length) => new Uint8Array(length));

it("gives what was left to one who needs as much, and only once", () => {
  const spare = bytes();
  const left = new Uint8Array(8);
  spare.leave(left);
  expect([spare.zeroes(8) === left, spare.zeroes(8) === left]).toEqual([true, false]);
});

it("gives zeroes, whatever was left", () => {
  const spare = bytes();
  spare.leave(Uint8Array.of(1, 2, 3));
  expect(spare.zeroes(3)).toEqual(new Uint8Array(3));
});

it("keeps what was left while others need another length", () => {
  const spare = bytes();
  const left = new Uint8Array(8);
  spare.leave(left);
  expect(spare.zeroes(9)).toEqual(new Uint8Array(9));
  expect(spare.zeroes(8)).toBe(left);
});
