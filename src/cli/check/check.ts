import type { CheckedMachine } from "../../check/machine/check-machine.ts";
import type { MachineConfiguration } from "../../check/machine/configurations/configuration.ts";
import { hazardsOf } from "../../check/machine/configurations/hazards.ts";
import { standardConfiguration } from "../../check/machine/configurations/standard-configurations.ts";
import {
  type CheckedHazard,
  neverSeen,
  renderHazards,
  renderLive,
  renderMermaid,
  renderReductions,
  renderStory,
  renderTable,
  renderWalks,
} from "../../check/story/render-check.ts";
import { renderJson } from "../../scenario/render/json.ts";
import { wrap } from "../../scenario/render/paint.ts";
import { EXIT } from "../exit-status.ts";
import { screenOf } from "../screen.ts";
import type { System } from "../system.ts";
import { Checkpoints } from "./checkpoints.ts";
import { type CheckOptions, configurationsOf, settingsOf } from "./options.ts";
import { Search } from "./search.ts";
import { replay, saveFirst, type Told } from "./story-files.ts";

/**
 * `tidemark check DESIGN`: every interleaving of small machines, and the shortest story of what breaks.
 *
 * @returns 0 if all that was explored held; 1 if something broke, which is told; a signal's status if one ended it
 * @throws UsageError, StoryFileError, CheckpointError: the input is wrong
 */
export const check = async (
  design: string | undefined,
  options: CheckOptions,
  system: System,
): Promise<number> => {
  if (options.replay !== undefined) return replay(options.replay, options, system);
  const settings = settingsOf(options);
  const configurations = configurationsOf(design, options);
  const { checkpoint: path, checkpointEvery } = options;
  const checkpoints =
    path === undefined ? undefined : new Checkpoints(path, Number(checkpointEvery) * 1000, settings, system);
  const search = new Search(system, settings, checkpoints);
  try {
    const table =
      options.progress === true ? tableOfProgress : options.hazards === true ? tableOfHazards : tableOf;
    const broken = await table(configurations, options, search, system);
    checkpoints?.finish(search.stopped === undefined);
    return search.stopped ?? (broken ? EXIT.broken : EXIT.held);
  } finally {
    search.close();
  }
};

/** Searches each configuration as long as no signal comes. */
const inTurn = async <T>(
  configurations: readonly MachineConfiguration[],
  search: (configuration: MachineConfiguration) => Promise<T | undefined>,
): Promise<T[]> => {
  const results: T[] = [];
  for (const configuration of configurations) {
    const result = await search(configuration);
    if (result !== undefined) results.push(result);
  }
  return results;
};

/** Prints the table and the stories. @returns whether something broke */
const tableOf = async (
  configurations: readonly MachineConfiguration[],
  options: CheckOptions,
  search: Search,
  system: System,
): Promise<boolean> => {
  const walks = options.search === "walks" || options.search === "pct";
  const { reductions } = search.settings;
  const walked = walks ? await inTurn(configurations, (one) => search.walk(one)) : [];
  const searched = walks ? [] : await inTurn(configurations, (one) => search.explore(one));
  const checked = [...walked, ...searched];
  const left = configurations.slice(checked.length).map(({ name }) => name);
  const table = walks ? renderWalks(walked) : `${renderReductions(reductions)}${renderTable(searched)}`;
  system.stdout.write(shown(table, checked, left, options, search));
  // A search that was stopped has not seen what it can.
  if (search.stopped === undefined && options.json !== true && options.mermaid !== true)
    system.stdout.write(unseen(searched, system));
  saveFirst(checked, options, system);
  return checked.some(({ story }) => story !== null);
};

/** What no search saw, a table in one paragraph as wide as the screen. */
const unseen = (searched: readonly CheckedMachine[], system: System): string => {
  const { width } = screenOf(system.stdout, system);
  const lines = neverSeen(searched).flatMap(([table, names]) =>
    wrap(`${table}, ${names}`, width - 4).map((line, at) => `${at === 0 ? "  " : "    "}${line}\n`),
  );
  return lines.length === 0 ? "" : `\nnever seen:\n${lines.join("")}`;
};

/** Looks whether all that is begun ends, and prints a table and the runs that do not. @returns whether there is one */
const tableOfProgress = async (
  configurations: readonly MachineConfiguration[],
  options: CheckOptions,
  search: Search,
  system: System,
): Promise<boolean> => {
  const live = await inTurn(configurations, (one) => search.live(one));
  const notSearched = configurations.slice(live.length).map(({ name }) => name);
  const stories = live.flatMap(({ story }) =>
    story === null
      ? []
      : [options.mermaid === true ? renderMermaid(story) : renderStory(story.configuration.name, story)],
  );
  const left = notSearched.length === 0 ? "" : `not searched: ${notSearched.join(", ")}\n`;
  system.stdout.write(
    options.json === true
      ? renderJson({ progress: live.map(({ ms, ...result }) => result), notSearched })
      : [`${renderLive(live)}${left}`, ...stories].join("\n"),
  );
  saveFirst(live, options, system);
  return live.some(({ story }) => story !== null);
};

/** Searches for each hazard by the rules it breaks, and prints a table. @returns whether one was found */
const tableOfHazards = async (
  configurations: readonly MachineConfiguration[],
  options: CheckOptions,
  search: Search,
  system: System,
): Promise<boolean> => {
  const hazards: CheckedHazard[] = [];
  const [{ design } = { design: "" }] = configurations;
  for (const hazard of hazardsOf(design)) {
    const configuration =
      options.config === undefined
        ? standardConfiguration(hazard.config ?? "", design)
        : configurations.find(({ name }) => name === hazard.config);
    const checked = configuration && (await search.explore({ ...configuration, rules: hazard.rules ?? [] }));
    const why = hazard.why ?? (search.stopped === undefined ? "not asked for" : "stopped by you");
    hazards.push({ hazard: { ...hazard, why }, checked: checked ?? null });
  }
  const searched = hazards.flatMap(({ checked }) => (checked === null ? [] : [checked]));
  system.stdout.write(options.json === true ? renderJson({ hazards }) : renderHazards(hazards));
  saveFirst(searched, options, system);
  return searched.some(({ verdict }) => verdict === "broken");
};

const shown = (
  table: string,
  checked: readonly (Told & { readonly ms: number })[],
  notSearched: readonly string[],
  options: CheckOptions,
  search: Search,
): string => {
  if (options.json === true)
    return renderJson({ checked: checked.map(({ ms, ...result }) => result), notSearched });
  const stories = checked.flatMap(({ story, shortest }) => {
    if (story === null) return [];
    return options.mermaid === true
      ? renderMermaid(story)
      : renderStory(story.configuration.name, story, shortest);
  });
  const left = notSearched.length === 0 ? "" : `not searched: ${notSearched.join(", ")}\n`;
  const goOn = search.stopped === undefined ? "" : howToGoOn(options);
  return [`${table}${left}${goOn}`, ...stories].join("\n");
};

const howToGoOn = ({ checkpoint, search, seed }: CheckOptions): string => {
  if (search === "walks" || search === "pct")
    return `to go on, add the walks of the last row to --seed ${seed}\n`;
  return checkpoint === undefined
    ? "to be able to go on after Ctrl-C, begin with --checkpoint FILE\n"
    : `the same command goes on from ${checkpoint}\n`;
};
