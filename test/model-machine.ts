import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DESIGN_NAMES } from "../src/designs/designs.ts";
import { loadScenario } from "../src/scenario/load.ts";
import { ModelWorld } from "../src/scenario/model/model-world.ts";
import { type Played, play } from "../src/scenario/player.ts";
import type { Scenario } from "../src/scenario/scenario.ts";
import type { TraceEvent } from "../src/scenario/world.ts";

const root = resolve(import.meta.dirname, "..");

/** Names of the bundled scenarios, with their folders below scenarios/ and without ending. */
export const bundledScenarios = (): string[] =>
  readdirSync(join(root, "scenarios"), { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length));

export const load = (text: string, overrides: readonly string[] = [], file = "test.yaml"): Scenario =>
  loadScenario(text, {
    file,
    designs: DESIGN_NAMES,
    overrides: overrides.map((assignment) => ({ assignment, option: `--set ${assignment}` })),
    readBytes: (path) => readFileSync(resolve(dirname(file), path)),
  });

/** A bundled scenario, with values set over its own. */
export const loadBundled = (name: string, overrides: readonly string[] = []): Scenario => {
  const file = join(root, "scenarios", `${name}.yaml`);
  return load(readFileSync(file, "utf8"), overrides, file);
};

/** Plays a scenario in the model world; every step goes to `onEvent`. */
export const playInModel = (scenario: Scenario, onEvent?: (event: TraceEvent) => void): Promise<Played> =>
  play(scenario, new ModelWorld(), { version: "test", ...(onEvent === undefined ? {} : { onEvent }) });
