import { expect, it } from "vitest";
import { Progress } from "../progress.ts";
import { fakeSystem } from "../testing/fake-system.ts";
import { CheckProgress } from "./check-progress.ts";

/** What a terminal of 120 columns is shown of searches that counted [milliseconds, states]. */
const shown = (...counted: readonly (readonly [number, number])[]): string[] => {
  let milliseconds = 0;
  const memory = fakeSystem({}, { terminal: 120 });
  const system = { ...memory, clock: () => milliseconds };
  const progress = new CheckProgress("replug", new Progress(system), system);
  for (const [at, states] of counted) {
    milliseconds = at;
    progress.counted({ states, transitions: 0, depth: 5, resting: 0, frontier: 3, bytes: 1 });
  }
  return memory.err().split("\r\u001b[K").slice(1);
};

it("tells the states a second since the first were counted", () => {
  expect(shown([0, 1000], [500, 51_000])).toEqual([
    "replug: finding out what changes",
    "replug: 1 000 states, depth 5, 3 to expand, 1 MiB, collision 3e-14",
    "replug: 51 000 states, 100 000/s, depth 5, 3 to expand, 1 MiB, collision 7e-11",
  ]);
});

it("counts the rate anew when the search began anew", () => {
  const [, , anew, later] = shown([0, 1335], [250, 1267], [750, 11_267]);
  expect(anew).toMatch(/^replug: 1 267 states, depth 5,/);
  expect(later).toMatch(/^replug: 11 267 states, 20 000\/s,/);
});

it("sees that a search began anew between two lines", () => {
  const [, , later] = shown([0, 5000], [100, 1000], [300, 7000]);
  expect(later).toMatch(/^replug: 7 000 states, 30 000\/s,/);
});
