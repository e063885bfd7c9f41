import { expect, it } from "vitest";
import { loadScenario } from "../../scenario/load.ts";
import { ScenarioError } from "../../scenario/scenario-error.ts";
import { linuxConfigOf } from "./linux-setup.ts";

const configOf = (machine: string) =>
  linuxConfigOf(
    loadScenario(`name: m\nmachine: ${machine}\nsteps: [boot]\n`, {
      file: "m.yaml",
      designs: ["none"],
      readBytes: () => new Uint8Array(),
    }),
  );

it("a machine that its VMM starts is taken as it was asked for", () => {
  const { dimms, gpaw } = configOf("{memory: 2G, slots: 2, dimms: [{id: d0, size: 1G, slot: 1}]}");
  expect(dimms).toEqual([{ id: "d0", size: 2 ** 30, node: 0, slot: 1 }]);
  expect(gpaw).toBeUndefined();
});

it("a machine that no VMM starts is a mistake in the scenario, told on one line", () => {
  const twice = "{memory: 2G, slots: 2, dimms: [{id: d0, size: 1G, slot: 0}, {id: d1, size: 1G, slot: 0}]}";
  expect(() => configOf(twice)).toThrow(ScenarioError);
  expect(() => configOf(twice)).toThrow(
    "m.yaml:1:1: machine: expected a machine that can be started, found slot: expected a free one of 2, found 0",
  );
});
