import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { DESIGNS } from "../src/cli/worlds.ts";
import { DESIGN_NAMES } from "../src/designs/designs.ts";
import { bundledScenarios, loadBundled, playInModel } from "./model-machine.ts";

const NAMES = [
  "boot-eager-4g",
  "boot-eager-64g",
  "boot-lazy-4g",
  "boot-lazy-64g",
  "dimm-replug",
  "real-srat",
  "virtio-mem-replug",
  "worked-example",
  "zeropad-stray-accept",
];

it("the scenarios that others script against are bundled", () => {
  expect(bundledScenarios()).toEqual(expect.arrayContaining(NAMES));
});

it("the command knows the designs there are", () => {
  expect(DESIGNS).toEqual(DESIGN_NAMES);
});

it.each(bundledScenarios())("%s holds", async (name) => {
  const { report } = await playInModel(loadBundled(name));
  const unmet = report.expectations
    .filter(({ held }) => !held)
    .map(({ line, what, found }) => ({ line, what, found }));
  expect({ verdict: report.verdict, unmet }).toEqual({ verdict: "held", unmet: [] });
});

const traceOf = async (name: string, seed: number): Promise<string> => {
  const hash = createHash("sha256");
  const { report } = await playInModel(loadBundled(name, [`seed=${seed}`]), (event) => {
    hash.update(`${JSON.stringify(event)}\n`);
  });
  return `${hash.digest("hex")} ${createHash("sha256").update(JSON.stringify(report)).digest("hex")}`;
};

it.each(["dimm-replug", "virtio-mem-replug", "worked-example"])(
  "%s leaves the same trace and report, byte by byte, for the same seed",
  async (name) => {
    expect(await traceOf(name, 7)).toBe(await traceOf(name, 7));
  },
);

it("another seed interleaves the vCPUs of an eager boot in another way", async () => {
  expect(await traceOf("boot-eager-4g", 1)).not.toBe(await traceOf("boot-eager-4g", 2));
});

const nsOf = async (name: string): Promise<number> => {
  const { report } = await playInModel(loadBundled(name));
  return report.cost.virtualNs;
};

it.each([
  [4, 2.5],
  [64, 4],
])("lazy boots %i GiB about %f times faster than eager, as published", async (gib, ratio) => {
  const gain = (await nsOf(`boot-eager-${gib}g`)) / (await nsOf(`boot-lazy-${gib}g`));
  expect(gain).toBeGreaterThan(ratio * 0.95);
  expect(gain).toBeLessThan(ratio * 1.05);
});
