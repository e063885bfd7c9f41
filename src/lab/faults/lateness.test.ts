import { expect, it } from "vitest";
import { lateSoFar, withLateness } from "./lateness.ts";

const RULE = {
  ...{ call: 0, device: -1, start: 0, end: 1, first: 1, times: 1, rate: 0, answer: 0, after: 0 },
};

it("an answer is as late as all rules together that struck it", () => {
  const plan = {
    seed: 1,
    rules: [
      { ...RULE, lateNs: 5 },
      { ...RULE, lateNs: 70 },
    ],
  };
  const points = { plan, struck: Float64Array.of(2, 0) };
  expect(lateSoFar(points)).toBe(10);
  const strike = (): string => {
    points.struck[0]!++;
    points.struck[1]!++;
    return "done";
  };
  expect(withLateness(points, strike)).toEqual({ result: "done", lateNs: 75 });
  expect(withLateness(points, () => "quiet")).toEqual({ result: "quiet", lateNs: 0 });
});

it("a machine without faults is never late", () => {
  expect(withLateness(undefined, () => 7)).toEqual({ result: 7, lateNs: 0 });
});
