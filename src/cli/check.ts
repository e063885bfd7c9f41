import { type CheckedMachine, checkMachine, replayMachine } from "../check/check-machine.ts";
import { HAZARDS } from "../check/hazards.ts";
import type { MachineConfiguration } from "../check/machine-configuration.ts";
import { renderHazards, renderMermaid, renderStory, renderTable } from "../check/render-check.ts";
import type { Counts, Limits } from "../check/result.ts";
import { CONFIGURATION_NAMES, standardConfiguration } from "../check/standard-configurations.ts";
import { readStory, storyFile } from "../check/story-file.ts";
import { INVARIANTS } from "../machine/invariants/table.ts";
import { suggest } from "../scenario/nearest-name.ts";
import { renderJson } from "../scenario/render/json.ts";
import { describe, oneLine } from "../scenario/scenario-error.ts";
import { EXIT, UsageError } from "./exit-status.ts";
import { Progress } from "./progress.ts";
import { reason } from "./read-scenario.ts";
import type { System } from "./system.ts";
import { DESIGNS } from "./worlds.ts";

export interface CheckOptions {
  readonly config?: string;
  readonly rules?: string;
  readonly maxStates: string;
  readonly maxMemory: string;
  readonly json?: boolean;
  readonly mermaid?: boolean;
  readonly save?: string;
  readonly replay?: string;
  readonly hazards?: boolean;
}

const MIB = 2 ** 20;

/**
 * `tidemark check DESIGN`: every interleaving of small machines, breadth first, and the shortest story of what breaks.
 *
 * @returns 0 if all that was explored held; 1 if something broke, which is told
 * @throws UsageError: the input is wrong
 */
export const check = (design: string | undefined, options: CheckOptions, system: System): number => {
  if (options.replay !== undefined) return replay(options.replay, options, system);
  const states = positive("--max-states", options.maxStates);
  const bytes = positive("--max-memory", options.maxMemory) * MIB;
  const configurations = configurationsOf(design, options);
  const progress = new Progress(system);
  const explore = (configuration: MachineConfiguration): CheckedMachine =>
    exploreTelling(configuration, { states, bytes }, progress);
  if (options.hazards === true) return hazardsOf(configurations, explore, progress, system);
  const checked = configurations.map(explore);
  progress.clear();
  system.stdout.write(shown(checked, options));
  if (options.save !== undefined) save(checked, options.save, system);
  return checked.every(({ story }) => story === null) ? EXIT.held : EXIT.broken;
};

const exploreTelling = (
  configuration: MachineConfiguration,
  limits: Limits,
  progress: Progress,
): CheckedMachine => {
  const { name } = configuration;
  progress.say(`${name}: finding out what changes`);
  const between = ({ states, depth, frontier }: Counts): boolean => {
    progress.say(`${name}: ${states} states, depth ${depth}, ${frontier} to expand`);
    return true;
  };
  return checkMachine(configuration, { limits, between });
};

/** Searches for each hazard by the rules it breaks. @returns 1 if one was found */
const hazardsOf = (
  configurations: readonly MachineConfiguration[],
  explore: (configuration: MachineConfiguration) => CheckedMachine,
  progress: Progress,
  system: System,
): number => {
  const hazards = HAZARDS.map((hazard) => {
    const configuration = configurations.find(({ name }) => name === hazard.config);
    const checked =
      configuration === undefined ? null : explore({ ...configuration, rules: hazard.rules ?? [] });
    return { hazard, checked };
  });
  progress.clear();
  system.stdout.write(renderHazards(hazards));
  return hazards.some(({ checked }) => checked?.verdict === "broken") ? EXIT.broken : EXIT.held;
};

const shown = (checked: readonly CheckedMachine[], options: CheckOptions): string => {
  if (options.json === true) return renderJson({ checked });
  const stories = checked.flatMap(({ configuration, story }) =>
    story === null
      ? []
      : [options.mermaid === true ? renderMermaid(story) : renderStory(configuration.name, story)],
  );
  return [renderTable(checked), ...stories].join("\n");
};

const configurationsOf = (design: string | undefined, options: CheckOptions): MachineConfiguration[] => {
  if (design === undefined || !DESIGNS.includes(design))
    throw wrong("design", "a design", design ?? "nothing", suggest(design ?? "", DESIGNS));
  const rules = options.rules?.split(",").map((rule) => rule.trim()) ?? [];
  for (const rule of rules)
    if (!INVARIANTS.some(({ id }) => id === rule))
      throw wrong("--rules", "invariants such as I2,I11", rule, "docs/hazards.md lists them");
  const names = options.config?.split(",").map((name) => name.trim()) ?? CONFIGURATION_NAMES;
  return names.map((name) => {
    const configuration = standardConfiguration(name, design);
    if (configuration === undefined)
      throw wrong("--config", "a standard configuration", name, suggest(name, CONFIGURATION_NAMES));
    return { ...configuration, rules };
  });
};

const wrong = (where: string, expected: string, found: string, advice: string): UsageError =>
  new UsageError(oneLine(`${where}: expected ${expected}, found ${describe(found)}; ${advice}`));

const positive = (option: string, text: string): number => {
  if (!/^[1-9]\d{0,11}$/.test(text))
    throw wrong(option, "a whole number above 0", text, "see tidemark check --help");
  return Number(text);
};

const save = (checked: readonly CheckedMachine[], path: string, system: System): void => {
  const first = checked.find(({ story }) => story !== null);
  if (first === undefined || first.story === null) return;
  try {
    system.writeText(path, storyFile(first.configuration, first.story));
  } catch (error) {
    throw new UsageError(
      oneLine(`--save ${path}: expected a file that can be written, found one that ${reason(error)}`),
      {
        cause: error,
      },
    );
  }
};

/** Plays a saved story again. @returns 1 if the rule is broken as it was, 0 if it is not any more */
const replay = (path: string, options: CheckOptions, system: System): number => {
  const saved = readStory(path, textOf(path, system));
  const story = replayMachine(saved.configuration, saved.path, saved.atRest);
  system.stdout.write(
    options.json === true ? renderJson({ story }) : renderStory(saved.configuration.name, story),
  );
  return story.broken ? EXIT.broken : EXIT.held;
};

const textOf = (path: string, system: System): string => {
  try {
    return new TextDecoder().decode(system.readBytes(path));
  } catch (error) {
    throw new UsageError(
      oneLine(`--replay ${path}: expected a saved story, found one that ${reason(error)}`),
      {
        cause: error,
      },
    );
  }
};
