import { expect, it } from "vitest";
import { Violations } from "./violations.ts";

it("widens the newest violation with the same reason by the place next to it", () => {
  const seen = new Violations();
  seen.add("I21", 5, 0, 10, "not accepted");
  seen.add("I10", 5, 0, 10, "mapped");
  seen.add("I21", 9, 10, 20, "not accepted");
  seen.add("I21", 9, 30, 40, "not accepted");
  expect(seen.all).toEqual([
    { invariant: "I21", step: 5, start: 0, end: 20, why: "not accepted" },
    { invariant: "I10", step: 5, start: 0, end: 10, why: "mapped" },
    { invariant: "I21", step: 9, start: 30, end: 40, why: "not accepted" },
  ]);
});

it("reports a violation that lasts once", () => {
  const seen = new Violations();
  for (let step = 1; step < 9; step++) seen.add("I1", step, 0, 4096, "read");
  expect(seen.all.length).toBe(1);
});

it("keeps 32 of a kind and counts the rest", () => {
  const seen = new Violations();
  for (let place = 0; place < 50; place++) seen.add("I3", 1, place * 100, place * 100 + 1, "twice");
  expect(seen.all.length).toBe(32);
  expect(seen.more.get("I3")).toBe(18);
});
