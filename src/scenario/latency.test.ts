import { expect, it } from "vitest";
import { latenciesOf } from "./latency.ts";
import { loadScenario } from "./load.ts";
import type { PlayedStep } from "./report.ts";

const MACHINE = "name: s\nmachine: {memory: 4G, slots: 1, maxmem: 9G, virtioMem: [{id: vm0, size: 1G}]}\n";

/** Latencies of steps that take 1, 10, 100 ... nanoseconds, as far as each succeeds. */
const latencies = (steps: string, statuses: { readonly [index: number]: string } = {}) => {
  const scenario = loadScenario(MACHINE + steps, {
    ...{ file: "s.yaml", designs: ["none"], readBytes: () => new Uint8Array() },
  });
  const told = scenario.steps.filter(({ kind }) => kind !== "expect");
  const played = told.map(
    ({ kind, place }, index): PlayedStep => ({
      ...{ line: place.line, kind, what: kind, status: statuses[index] ?? "SUCCESS", detail: "" },
      ...{ startNs: 0, endNs: 10 ** index, firstStep: 1, lastStep: 0 },
    }),
  );
  return latenciesOf(scenario, played);
};

it("counts a step with the waits for its end right behind it, notes and expectations aside", () => {
  const steps =
    "steps: [boot, {resize: {device: vm0, to: 512M}}, {note: n}, {expect: {machine: running}}, {wait: idle}, {wait: 5s}, {resize: {device: vm0, to: 0}}, {wait: {for: {device: {id: vm0, plugged: 0}}}}]\n";
  expect(latencies(steps)).toEqual({ bootNs: 1, plugNs: 10 + 1000, unplugNs: 1e5 + 1e6 });
});

it("adds all steps of a kind up, DIMMs and reset too", () => {
  const steps =
    "steps: [boot, {plug: {dimm: d, size: 1G}}, {resize: {device: vm0, to: 2M}}, {unplug: {dimm: d}}, reset]\n";
  expect(latencies(steps)).toEqual({ bootNs: 1 + 10 ** 4, plugNs: 110, unplugNs: 1000 });
});

it("tells nothing of a kind that did not come about or did not succeed", () => {
  expect(latencies("steps: [boot]\n")).toEqual({ bootNs: 1, plugNs: null, unplugNs: null });
  const steps = "steps: [boot, {resize: {device: vm0, to: 512M}}, {wait: idle}]\n";
  expect(latencies(steps, { 2: "TIMEOUT" })).toEqual({ bootNs: 1, plugNs: null, unplugNs: null });
});
