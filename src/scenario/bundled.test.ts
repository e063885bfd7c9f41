import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { DESIGN_NAMES } from "../designs/designs.ts";
import { COUNTER_NAMES } from "./kernel-counters.ts";
import { loadScenario } from "./load.ts";
import type { Scenario } from "./scenario.ts";
import { scenarioJsonSchema } from "./schema/scenario-schema.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const load = (text: string, file: string): Scenario =>
  loadScenario(text, {
    file,
    designs: DESIGN_NAMES,
    readBytes: (path) => readFileSync(resolve(dirname(file), path)),
  });

describe("every bundled scenario is valid, says what it shows and is named after its file", () => {
  const folder = join(ROOT, "scenarios");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".yaml"),
  );
  it.each(files)("%s", (file) => {
    const path = join(folder, file);
    const scenario = load(readFileSync(path, "utf8"), path);
    expect(`${scenario.name}.yaml`).toBe(basename(file));
    expect([scenario.title, scenario.about].map((text) => text.length > 20)).toEqual([true, true]);
    expect(scenario.expect.length).toBeGreaterThan(0);
  });
});

it("the scenarios in the documentation are valid", () => {
  const text = readFileSync(join(ROOT, "docs", "scenarios.md"), "utf8");
  const blocks = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, block = ""]) => block);
  expect(blocks.map((block) => load(block, join(ROOT, "docs", "scenarios.md")).name)).toEqual([
    "grow",
    "refused",
    "faults",
  ]);
});

it("the documentation names every key of the file", () => {
  const text = readFileSync(join(ROOT, "docs", "scenarios.md"), "utf8");
  const missing: string[] = [];
  const walk = (node: unknown): void => {
    if (node === null || typeof node !== "object") return;
    const { properties = {} } = node as { properties?: object };
    // Counters have a row for all of them.
    const keys = Object.keys(properties).filter((key) => !COUNTER_NAMES.includes(key) && key !== "host");
    missing.push(...keys.filter((key) => !new RegExp(`\\b${key}\\b`).test(text)));
    for (const inner of Object.values(node)) walk(inner);
  };
  walk(scenarioJsonSchema());
  expect([...new Set(missing)]).toEqual([]);
});

it("the recorded SRAT's hot-plug window is the 18 GiB that its bitmaps cover", () => {
  const path = join(ROOT, "scenarios", "real-srat.yaml");
  const { srat } = load(readFileSync(path, "utf8"), path).machine.firmware;
  expect(srat.kind).toBe("bytes");
  if (srat.kind !== "bytes") return;
  const bytes = new DataView(srat.bytes.buffer, srat.bytes.byteOffset, srat.bytes.byteLength);
  // The last of its memory affinity entries: base, length, and enabled with hot-pluggable.
  const at = srat.bytes.length - 40;
  expect([
    bytes.getBigUint64(at + 8, true),
    bytes.getBigUint64(at + 16, true),
    bytes.getUint32(at + 28, true),
  ]).toEqual([2n ** 32n, 18n * 2n ** 30n, 3]);
});
