import { compareDesigns, type DesignComparison } from "../scenario/design-comparison.ts";
import { suggest } from "../scenario/nearest-name.ts";
import { renderComparison, renderComparisonMarkdown } from "../scenario/render/comparison.ts";
import { renderJson } from "../scenario/render/json.ts";
import { comparisonDocument } from "../scenario/report-document.ts";
import { PLATFORMS, type Platform } from "../scenario/scenario.ts";
import { describe, oneLine } from "../scenario/scenario-error.ts";
import { stepText } from "../scenario/step-text.ts";
import { EXIT, UsageError } from "./exit-status.ts";
import { Progress } from "./progress.ts";
import { readScenario, type ScenarioOptions } from "./read-scenario.ts";
import { screenOf } from "./screen.ts";
import type { System } from "./system.ts";
import { VERSION } from "./version.ts";
import { DESIGNS, type OpenWorld } from "./worlds.ts";

export interface CompareOptions extends ScenarioOptions {
  readonly designs?: string;
  readonly require?: string;
  readonly json?: boolean;
  readonly markdown?: boolean;
}

/**
 * `tidemark compare FILE`: plays a scenario with each design and shows them side by side.
 *
 * @returns 0 once they were played, whatever their verdicts; 1 if one that `--require` names did not hold
 * @throws ScenarioError, UsageError: the input is wrong
 */
export const compare = async (
  file: string,
  options: CompareOptions,
  system: System,
  openWorld: OpenWorld,
): Promise<number> => {
  const { platform: _, ...own } = options;
  const scenario = readScenario(file, own, system);
  const required = namesOf("--require", options.require, []);
  const designs = namesOf("--designs", options.designs, DESIGNS);
  const platforms = platformsOf(options.platform);
  const progress = new Progress(system);
  const { CommonBoots } = await import("../scenario/model/common-boots.ts");
  const played = [...new Set([...designs, ...required])];
  const boots = new CommonBoots(played);
  const comparison = await compareDesigns(scenario, {
    version: VERSION,
    designs: played,
    ...(platforms === undefined ? {} : { platforms }),
    open: () => openWorld("model", { breathe: () => system.breathe(), boots }),
    onStep: (design, step, index, of) => {
      progress.step(`${design}: ${index + 1} of ${of}, ${stepText(step)}`);
    },
    onEvent: (step, ns) => {
      progress.event(step, ns);
    },
  }).finally(() => {
    progress.clear();
  });
  system.stdout.write(shown(comparison, options, system));
  const holds = (name: string): boolean =>
    comparison.designs.every(({ design, verdict }) => design !== name || verdict === "held");
  return required.every(holds) ? EXIT.held : EXIT.broken;
};

const shown = (comparison: DesignComparison, options: CompareOptions, system: System): string => {
  if (options.json === true) return renderJson(comparisonDocument(comparison));
  if (options.markdown === true) return renderComparisonMarkdown(comparison);
  return renderComparison(comparison, screenOf(system.stdout, system));
};

/** Platforms of a list such as `tdx,snp`. */
const platformsOf = (list: string | undefined): readonly Platform[] | undefined => {
  if (list === undefined) return undefined;
  const names = list.split(",").map((name) => name.trim());
  const known = names.flatMap((name) => PLATFORMS.filter((platform) => platform === name));
  if (known.length === names.length) return [...new Set(known)];
  const bad = names.find((name) => !PLATFORMS.some((platform) => platform === name)) ?? "";
  const said = `--platform ${list}: expected platforms, found ${describe(bad)}; ${suggest(bad, PLATFORMS)}`;
  throw new UsageError(oneLine(said));
};

/** Designs of a list such as `none,bitmaps`. */
const namesOf = (option: string, list: string | undefined, absent: readonly string[]): readonly string[] => {
  if (list === undefined) return absent;
  const names = list.split(",").map((name) => name.trim());
  for (const name of names) {
    if (DESIGNS.includes(name)) continue;
    const said = `${option} ${list}: expected designs, found ${describe(name)}; ${suggest(name, DESIGNS)}`;
    throw new UsageError(oneLine(said));
  }
  return [...new Set(names)];
};
