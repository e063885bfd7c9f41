import { expect, it } from "vitest";
import { loadScenario } from "../load.ts";
import { play } from "../player.ts";
import { ModelWorld } from "./model-world.ts";

const verdictOf = async (steps: string): Promise<string[]> => {
  const text = `name: plug
machine: {memory: 1G, slots: 2, maxmem: 3G}
guest: {design: bitmaps, autoOnline: online_movable}
steps:
  - boot
  - plug: {dimm: d0, size: 256M}
${steps}`;
  const scenario = loadScenario(text, {
    file: "s.yaml",
    designs: ["bitmaps"],
    readBytes: () => new Uint8Array(),
  });
  const { report } = await play(scenario, new ModelWorld(), { version: "test" });
  return [report.verdict, ...report.expectations.filter(({ held }) => !held).map(({ found }) => found)];
};

it("the name of a DIMM that is gone may be that of one of another size", async () => {
  const steps = `
  - unplug: {dimm: d0}
  - plug: {dimm: d0, size: 128M}
  - expect: {range: [{at: 4G, size: 128M, plugged: true}, {at: 4224M, size: 128M, plugged: false}]}
  - unplug: {dimm: d0}
  - plug: {dimm: d0, size: 512M}
  - expect: {range: {at: 4G, size: 512M, plugged: true}}
`;
  expect(await verdictOf(steps)).toEqual(["held"]);
});
