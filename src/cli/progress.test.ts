import { expect, it } from "vitest";
import { Progress } from "./progress.ts";
import { type FakeSystem, fakeSystem } from "./testing/fake-system.ts";

/** A run of `events` machine steps, a microsecond of real time each, seen on `system`. */
const run = (system: FakeSystem, events: number): string => {
  let milliseconds = 0;
  const progress = new Progress({ ...system, clock: () => milliseconds });
  progress.step("1 of 2, boot");
  for (let step = 1; step <= events; step++) {
    milliseconds += 0.001;
    progress.event(step, step * 1000);
  }
  progress.clear();
  return system.err();
};

it("shows on a terminal how far a long run is, and wipes it away", () => {
  const shown = run(fakeSystem({}, { terminal: 80 }), 1_000_000);
  expect(shown).toContain("\r\u001b[K1 of 2, boot: 400384 steps, 400.384 ms virtual");
  expect(shown.split("1 of 2").length - 1).toBe(6);
  expect(shown.endsWith("\r\u001b[K")).toBe(true);
});

it("says nothing of a short run, in a pipe or on a dumb terminal", () => {
  expect(run(fakeSystem({}, { terminal: 80 }), 100_000)).toBe("");
  expect(run(fakeSystem({}), 1_000_000)).toBe("");
  expect(run(fakeSystem({}, { terminal: 80, env: { TERM: "dumb" } }), 1_000_000)).toBe("");
});

it("keeps its line shorter than the terminal is wide", () => {
  const shown = run(fakeSystem({}, { terminal: 24 }), 500_000);
  expect(shown.split("\r\u001b[K").every((line) => line.length < 24)).toBe(true);
});
