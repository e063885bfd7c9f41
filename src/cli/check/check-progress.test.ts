import { expect, it } from "vitest";
import { Progress } from "../progress.ts";
import { fakeSystem } from "../testing/fake-system.ts";
import { CheckProgress } from "./check-progress.ts";

/** What a terminal of 120 columns is shown of a search that counted [milliseconds, states], or began anew. */
const shown = (...events: readonly (readonly [number, number] | "anew")[]): string[] => {
  let milliseconds = 0;
  const memory = fakeSystem({}, { terminal: 120 });
  const system = { ...memory, clock: () => milliseconds };
  const progress = new CheckProgress("replug", new Progress(system), system);
  for (const event of events) {
    if (event === "anew") {
      progress.beganAnew();
      continue;
    }
    const [at, states] = event;
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

it("says that the search began anew, and has no rate of what was counted before", () => {
  const [, , anew, later] = shown([0, 1335], "anew", [250, 1267], [750, 11_267]);
  expect(anew).toMatch(/^replug, begun anew: 1 267 states, depth 5,/);
  expect(later).toMatch(/^replug, begun anew: 11 267 states, 20 000\/s,/);
});

it("says it once, however often it began anew", () => {
  expect(shown("anew", "anew", [250, 10]).at(-1)).toMatch(/^replug, begun anew: 10 states,/);
});
