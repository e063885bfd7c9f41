import { dirname, relative, resolve } from "node:path";
import { loadScenario } from "../scenario/load.ts";
import { listOf, nearestPaths } from "../scenario/nearest-name.ts";
import type { Override } from "../scenario/override.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { describe, oneLine } from "../scenario/scenario-error.ts";
import { bundledNames, bundledPath } from "./bundled.ts";
import { UsageError } from "./exit-status.ts";
import type { System } from "./system.ts";
import { DESIGNS } from "./worlds.ts";

/** Options that change a scenario. */
export interface ScenarioOptions {
  readonly design?: string;
  readonly seed?: string;
  readonly platform?: string;
  readonly set?: readonly string[];
}

/** The scenario of a command: a file, standard input (`-`) or a bundled one, with what the options override. */
export const readScenario = (file: string, options: ScenarioOptions, system: System): Scenario => {
  const { name, text } = readText(file, system);
  const folder = name === "-" ? "." : dirname(name);
  return loadScenario(text, {
    file: name === "-" ? "standard input" : name,
    designs: DESIGNS,
    overrides: overridesOf(options),
    readBytes: (path) => {
      try {
        return system.readBytes(resolve(folder, path));
      } catch (error) {
        throw new Error(`${describe(path)} that ${reason(error)}`, { cause: error });
      }
    },
  });
};

const overridesOf = ({ set, design, seed, platform }: ScenarioOptions): Override[] => [
  ...(set ?? []).map((assignment) => ({ assignment, option: `--set ${assignment}` })),
  ...(design === undefined ? [] : [{ assignment: `guest.design=${design}`, option: `--design ${design}` }]),
  ...(platform === undefined
    ? []
    : [{ assignment: `platform=${platform}`, option: `--platform ${platform}` }]),
  ...(seed === undefined ? [] : [{ assignment: `seed=${seed}`, option: `--seed ${seed}` }]),
];

/** The text of a file, of standard input (`-`), or of a bundled scenario by its name. */
const readText = (file: string, system: System): { name: string; text: string } => {
  if (file === "-") return { name: file, text: system.readStdin() };
  const read = (path: string): string => new TextDecoder().decode(system.readBytes(path));
  try {
    return { name: file, text: read(file) };
  } catch (error) {
    const bundled = isMissing(error) ? bundledPath(file) : undefined;
    if (bundled !== undefined) return { name: relative(process.cwd(), bundled), text: read(bundled) };
    const names = bundledNames();
    const advice = !isMissing(error)
      ? ""
      : names.length === 0
        ? "; give its path"
        : `; did you mean ${listOf(nearestPaths(file, names).map((name) => `\`${name}\``))}?`;
    const said = `${file}: expected a scenario file, found one that ${reason(error)}${advice}`;
    throw new UsageError(oneLine(said), { cause: error });
  }
};

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

const REASONS: { readonly [code: string]: string } = {
  ENOENT: "is not there",
  EACCES: "may not be opened",
  EISDIR: "is a folder",
  ENOTDIR: "lies in no folder",
  EROFS: "lies on a read-only file system",
  ENOSPC: "has no space left",
};

/** Why a file cannot be used, as the end of a sentence. */
export const reason = (error: unknown): string => {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return REASONS[code] ?? `cannot be used (${message})`;
};
