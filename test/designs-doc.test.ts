import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { comparisons, designsDocument, keyOf } from "../scripts/designs-doc-tables.mjs";
import { DESIGNS as NAMED_IN_CLI } from "../src/cli/worlds.ts";
import { DESIGN_NAMES } from "../src/designs/designs.ts";
import { compareDesigns, type DesignComparison } from "../src/scenario/design-comparison.ts";
import { ModelWorld } from "../src/scenario/model/model-world.ts";
import { bundledScenarios, loadBundled } from "./model-machine.ts";

const doc = readFileSync(join(resolve(import.meta.dirname, ".."), "docs", "designs.md"), "utf8");
const headings = [...doc.matchAll(/^## (.*)$/gm)].flatMap(([, text = ""]) => text.split(", "));

it("the command knows the designs that there are, in the same order", () => {
  expect(NAMED_IN_CLI).toEqual(DESIGN_NAMES);
});

it("the documentation has a page for each design", () => {
  expect(DESIGN_NAMES.filter((name) => !headings.includes(name))).toEqual([]);
});

it("the scenarios that the documentation names are there", () => {
  const inBackticks = [...doc.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);
  // A scenario's name begins with a design's or stands in a command.
  const names = inBackticks.flatMap((text) => {
    const command = /^tidemark (?:run|compare) (\S+)/.exec(text)?.[1];
    if (command !== undefined && command !== "SCENARIO") return [command];
    const isNamedAfterOne = DESIGN_NAMES.some((design) => text.startsWith(`${design}-`));
    return isNamedAfterOne && !DESIGN_NAMES.includes(text) ? [text] : [];
  });
  expect(names.length).toBeGreaterThan(12);
  const bundled = bundledScenarios().flatMap((name) => [name, name.slice(name.lastIndexOf("/") + 1)]);
  expect(names.filter((name) => !bundled.includes(name))).toEqual([]);
});

it("each hazard of RFC v2 has a scenario, a search that shows it, or a sentence that says why it has none", () => {
  const rows = [...doc.matchAll(/^\| (H\d+) \| [^|]+ \| ([^|]+) \|/gm)].map(([, id, place = ""]) => ({
    id,
    place,
  }));
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 18 }, (_, n) => `H${n + 1}`));
  const last = (name: string): string => name.split("/").at(-1) ?? name;
  const bundled = bundledScenarios().map(last);
  const bare = rows.filter(({ place }) => {
    const named = [...place.matchAll(/`([^`/.]+)`/g)].map(([, name = ""]) => name);
    if (/^`check [a-z]+ --hazards`, configuration `[a-z-]+`/.test(place)) return false;
    return (
      !place.startsWith("none") && (named.length === 0 || !named.every((name) => bundled.includes(name)))
    );
  });
  expect(bare).toEqual([]);
});

/** Some hundred plays, on a machine that may be busy. */
const PATIENCE_MS = 900_000;

it("its tables are what compare says (node scripts/designs-doc.mjs)", { timeout: PATIENCE_MS }, async () => {
  const results = new Map<string, DesignComparison>();
  for (const comparison of comparisons()) {
    const { scenario, set, designs } = comparison;
    const result = await compareDesigns(loadBundled(scenario, set), {
      version: "test",
      designs: designs.length === 0 ? DESIGN_NAMES : designs,
      open: async () => new ModelWorld(),
    });
    results.set(keyOf(comparison), result);
  }
  expect(designsDocument(doc, results)).toBe(doc);
});
