import { expect, it } from "vitest";
import { FAULT_CALLS } from "./fault-calls.ts";
import { FaultPoints, type FaultRule } from "./fault-points.ts";

const ACCEPT = FAULT_CALLS.findIndex(({ name }) => name === "TDG.MEM.PAGE.ACCEPT");

const rule = (fields: Partial<FaultRule>): FaultRule => ({
  ...{ call: ACCEPT, device: -1, start: 0, end: Number.POSITIVE_INFINITY },
  ...{ first: 1, times: 1, rate: 0, answer: 0, lateNs: 0, after: 0 },
  ...fields,
});

const strikes = (points: FaultPoints, calls: number, start = 0): number[] =>
  Array.from({ length: calls }, (_, n) => points.strike(ACCEPT, -1, start, start + 4096, n + 1));

it("strikes the calls that it names and no other", () => {
  const points = new FaultPoints({ seed: 1, rules: [rule({ first: 3, times: 2 })] });
  expect(strikes(points, 6)).toEqual([-1, -1, 0, 0, -1, -1]);
  expect([points.seen[0], points.struck[0], points.firstStep[0], points.lastStep[0]]).toEqual([6, 2, 3, 4]);
});

it("counts only calls about its memory", () => {
  const points = new FaultPoints({ seed: 1, rules: [rule({ start: 8192, end: 16384 })] });
  expect([strikes(points, 2), strikes(points, 2, 8192), strikes(points, 1, 16384)]).toEqual([
    [-1, -1],
    [0, -1],
    [-1],
  ]);
});

it("lets the first of two rules win and the second count all the same", () => {
  const points = new FaultPoints({ seed: 1, rules: [rule({ first: 2 }), rule({ first: 2, times: 2 })] });
  expect(strikes(points, 3)).toEqual([-1, 0, 1]);
});

it("strikes as often as its rate says, and the same calls for the same seed", () => {
  const of = (seed: number): number[] =>
    strikes(new FaultPoints({ seed, rules: [rule({ rate: 2 ** 30 })] }), 4000);
  const struck = of(7).filter((number) => number === 0).length;
  // A quarter of 4000 calls; four standard deviations are 110.
  expect(Math.abs(struck - 1000)).toBeLessThan(110);
  expect(of(7)).toEqual(of(7));
  expect(of(7)).not.toEqual(of(8));
});

it("goes on counting where another ended", () => {
  const plan = { seed: 1, rules: [rule({ first: 3 })] };
  const before = new FaultPoints(plan);
  before.begin();
  strikes(before, 2);
  const after = new FaultPoints(plan);
  after.resume(before);
  expect([strikes(after, 1), after.on]).toEqual([[0], false]);
});
