import { expect, it } from "vitest";
import { CounterCurves } from "./curves.ts";

/** Offers `steps` events; answers the curves and how often a sample was taken. */
const run = (steps: number) => {
  const curves = new CounterCurves();
  let samples = 0;
  for (let step = 1; step <= steps; step++) {
    if (!curves.due()) continue;
    samples++;
    curves.add(step, step * 10, [
      { name: "MemFree", value: steps - step },
      { name: "MemTotal", value: 7 },
    ]);
  }
  return { curves: curves.finish(), samples };
};

it("keeps every point of a short run, and only counters that moved", () => {
  const { curves } = run(3);
  expect(curves).toEqual({ ns: [10, 20, 30], step: [1, 2, 3], counters: { MemFree: [2, 1, 0] } });
});

it("keeps a long run to few points, and asks for few", () => {
  const { curves, samples } = run(1_000_000);
  expect(curves.step.length).toBeLessThan(256);
  expect(samples).toBeLessThan(256 * 16);
  expect(curves.step.toSorted((a, b) => a - b)).toEqual(curves.step);
});

it("takes the later of two samples of one moment", () => {
  const curves = new CounterCurves();
  curves.add(1, 10, [{ name: "MemFree", value: 1 }]);
  curves.add(1, 10, [{ name: "MemFree", value: 2 }]);
  curves.add(2, 20, [{ name: "MemFree", value: 3 }]);
  expect(curves.finish().counters).toEqual({ MemFree: [2, 3] });
});
