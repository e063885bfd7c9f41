import { type CheckedMachine, checkMachine, replayMachine } from "../check/machine/check-machine.ts";
import type { MachineConfiguration } from "../check/machine/configuration.ts";
import { HAZARDS } from "../check/machine/hazards.ts";
import { CONFIGURATION_NAMES, standardConfiguration } from "../check/machine/standard-configurations.ts";
import type { Limits } from "../check/result.ts";
import { storyItf } from "../check/story/itf.ts";
import {
  type CheckedHazard,
  renderHazards,
  renderMermaid,
  renderStory,
  renderTable,
} from "../check/story/render-check.ts";
import { readStory, storyFile } from "../check/story/story-file.ts";
import { INVARIANTS } from "../machine/invariants/table.ts";
import { suggest } from "../scenario/nearest-name.ts";
import { renderJson } from "../scenario/render/json.ts";
import { describe, oneLine } from "../scenario/scenario-error.ts";
import { CheckProgress } from "./check-progress.ts";
import { EXIT, UsageError } from "./exit-status.ts";
import { Interruption } from "./interruption.ts";
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
  readonly itf?: string;
  readonly replay?: string;
  readonly hazards?: boolean;
}

const MIB = 2 ** 20;

/**
 * `tidemark check DESIGN`: every interleaving of small machines, breadth first, and the shortest story of what breaks.
 *
 * @returns 0 if all that was explored held; 1 if something broke, which is told; a signal's status if one ended it
 * @throws UsageError: the input is wrong
 */
export const check = async (
  design: string | undefined,
  options: CheckOptions,
  system: System,
): Promise<number> => {
  if (options.replay !== undefined) return replay(options.replay, options, system);
  const states = positive("--max-states", options.maxStates);
  const bytes = positive("--max-memory", options.maxMemory) * MIB;
  const configurations = configurationsOf(design, options);
  const search = new Search(system, { states, bytes });
  try {
    const broken =
      options.hazards === true
        ? await hazardsOf(configurations, search, system)
        : await tableOf(configurations, options, search, system);
    return search.stopped ?? (broken ? EXIT.broken : EXIT.held);
  } finally {
    search.close();
  }
};

/** Searches one configuration after the other, says how far it is, and stops at a signal. */
class Search {
  private readonly system: System;
  private readonly limits: Limits;
  private readonly progress: Progress;
  private readonly interruption: Interruption;

  constructor(system: System, limits: Limits) {
    this.system = system;
    this.limits = limits;
    this.progress = new Progress(system);
    this.interruption = new Interruption(system);
    this.interruption.listen();
  }

  /** The exit status that a signal asked for. */
  get stopped(): number | undefined {
    return this.interruption.status;
  }

  /** @returns undefined if a signal came before it began */
  async explore(configuration: MachineConfiguration): Promise<CheckedMachine | undefined> {
    const { system, progress, limits } = this;
    if (!(await this.goesOn())) return undefined;
    const line = new CheckProgress(configuration.name, progress, system);
    const checked = await checkMachine(configuration, {
      limits,
      between: async (counts) => {
        line.counted(counts);
        return this.goesOn();
      },
    });
    progress.clear();
    return checked;
  }

  /** Hears signals. After one it waits no more: what is known is to be printed at once. */
  private async goesOn(): Promise<boolean> {
    if (this.stopped === undefined) await this.system.breathe();
    return this.stopped === undefined;
  }

  close(): void {
    this.progress.clear();
    this.interruption.close();
  }
}

/** Prints the table and the stories. @returns whether something broke */
const tableOf = async (
  configurations: readonly MachineConfiguration[],
  options: CheckOptions,
  search: Search,
  system: System,
): Promise<boolean> => {
  const checked: CheckedMachine[] = [];
  for (const configuration of configurations) {
    const one = await search.explore(configuration);
    if (one !== undefined) checked.push(one);
  }
  const left = configurations.slice(checked.length).map(({ name }) => name);
  system.stdout.write(shown(checked, left, options));
  saveFirst(checked, options, system);
  return checked.some(({ story }) => story !== null);
};

/** Searches for each hazard by the rules it breaks, and prints a table. @returns whether one was found */
const hazardsOf = async (
  configurations: readonly MachineConfiguration[],
  search: Search,
  system: System,
): Promise<boolean> => {
  const hazards: CheckedHazard[] = [];
  for (const hazard of HAZARDS) {
    const configuration = configurations.find(({ name }) => name === hazard.config);
    const checked = configuration && (await search.explore({ ...configuration, rules: hazard.rules ?? [] }));
    const why = hazard.why ?? (search.stopped === undefined ? "not asked for" : "stopped by you");
    hazards.push({ hazard: { ...hazard, why }, checked: checked ?? null });
  }
  system.stdout.write(renderHazards(hazards));
  return hazards.some(({ checked }) => checked?.verdict === "broken");
};

const shown = (
  checked: readonly CheckedMachine[],
  notSearched: readonly string[],
  options: CheckOptions,
): string => {
  if (options.json === true) return renderJson({ checked, notSearched });
  const stories = checked.flatMap(({ configuration, story }) =>
    story === null
      ? []
      : [options.mermaid === true ? renderMermaid(story) : renderStory(configuration.name, story)],
  );
  const left = notSearched.length === 0 ? "" : `not searched: ${notSearched.join(", ")}\n`;
  return [`${renderTable(checked)}${left}`, ...stories].join("\n");
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

/** Writes the first story to the files that were asked for. */
const saveFirst = (checked: readonly CheckedMachine[], { save, itf }: CheckOptions, system: System): void => {
  const first = checked.find(({ story }) => story !== null);
  if (first === undefined || first.story === null) return;
  const { configuration, story } = first;
  if (save !== undefined) write("--save", save, storyFile(configuration, story), system);
  if (itf !== undefined) write("--itf", itf, storyItf(configuration.name, story), system);
};

const write = (option: string, path: string, text: string, system: System): void => {
  try {
    system.writeText(path, text);
  } catch (error) {
    throw new UsageError(
      oneLine(`${option} ${path}: expected a file that can be written, found one that ${reason(error)}`),
      {
        cause: error,
      },
    );
  }
};

/** Plays a saved story again. @returns 1 if the rule is broken as it was, 0 if it is not any more */
const replay = async (path: string, options: CheckOptions, system: System): Promise<number> => {
  const saved = readStory(path, textOf(path, system));
  const story = await replayMachine(saved.configuration, saved.path, saved.atRest);
  system.stdout.write(
    options.json === true ? renderJson({ story }) : renderStory(saved.configuration.name, story),
  );
  if (options.itf !== undefined)
    write("--itf", options.itf, storyItf(saved.configuration.name, story), system);
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
