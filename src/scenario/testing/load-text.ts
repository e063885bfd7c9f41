import { sratTable } from "../../abi/acpi/srat.ts";
import { loadScenario } from "../load.ts";
import type { Scenario } from "../scenario.ts";
import { ScenarioError } from "../scenario-error.ts";

const DESIGNS = ["none", "bitmaps"];
/** A table without entries: 48 bytes. */
export const SRAT_BYTES = sratTable([]);

/** Loads a text as the file s.yaml, beside a whole SRAT and one that is cut short. */
export const load = (text: string, overrides: readonly string[] = []): Scenario =>
  loadScenario(text, {
    file: "s.yaml",
    designs: DESIGNS,
    overrides: overrides.map((assignment) => ({ assignment, option: `--set ${assignment}` })),
    readBytes: (path) => {
      if (path === "srat.dat") return SRAT_BYTES;
      if (path === "cut.dat") return SRAT_BYTES.slice(0, -1);
      throw new Error(`no such file: ${path}`);
    },
  });

/** The message of the refusal. */
export const refusal = (text: string, overrides: readonly string[] = []): string => {
  try {
    load(text, overrides);
  } catch (error) {
    if (error instanceof ScenarioError) return error.message;
    throw error;
  }
  return "loaded";
};

/** A scenario around the lines of interest. */
export const around = (machine: string, steps = "  - boot"): string =>
  `name: s\nmachine:\n  memory: 4G\n${machine}steps:\n${steps}\n`;
