import type { CheckedMachine } from "../../check/machine/check-machine.ts";
import type { MachineConfiguration } from "../../check/machine/configurations/configuration.ts";
import { type Hazard, hazardsOf } from "../../check/machine/configurations/hazards.ts";
import { standardConfiguration } from "../../check/machine/configurations/standard-configurations.ts";
import { type Reductions, sorted } from "../../check/machine/reductions/reductions.ts";
import type { WalkedMachine } from "../../check/machine/walk-machine.ts";
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
import { suggest } from "../../scenario/nearest-name.ts";
import { renderJson } from "../../scenario/render/json.ts";
import { wrap } from "../../scenario/render/paint.ts";
import { EXIT } from "../exit-status.ts";
import { screenOf } from "../screen.ts";
import type { System } from "../system.ts";
import { Checkpoints } from "./checkpoints.ts";
import { type CheckOptions, configurationsOf, type SearchSettings, settingsOf, wrong } from "./options.ts";
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
  const table = walks
    ? renderWalks(walked)
    : `${renderReductions(reductions, searched)}${renderTable(searched)}`;
  const goOn = search.stopped === undefined ? "" : howToGoOn(options, search.settings, left, walked.at(-1));
  system.stdout.write(shown(`${table}${notSearched(left)}${goOn}`, checked, left, options, system));
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
  const left = configurations.slice(live.length).map(({ name }) => name);
  const stories = live.flatMap((told) => storyIn(told, options, system));
  system.stdout.write(
    options.json === true
      ? renderJson({ progress: live.map(({ ms, ...result }) => result), notSearched: left })
      : [`${renderLive(live)}${notSearched(left)}`, ...stories].join("\n"),
  );
  saveFirst(live, options, system);
  return live.some(({ story }) => story !== null);
};

/** A design's hazards, of the configurations that were asked for. @throws UsageError if there is none in them */
const hazardsIn = (design: string, { config }: CheckOptions): readonly Hazard[] => {
  const asked = config?.split(",").map((name) => name.trim());
  const hazards = hazardsOf(design).filter(({ config: own = "" }) => asked?.includes(own) ?? true);
  if (hazards.length > 0) return hazards;
  const known = [...new Set(hazardsOf(design).flatMap(({ config: own }) => own ?? []))];
  throw wrong(
    "--config",
    `configurations of hazards of ${design}`,
    config ?? "",
    suggest(config ?? "", known),
  );
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
  for (const hazard of hazardsIn(design, options)) {
    const configuration = standardConfiguration(hazard.config ?? "", design);
    const checked = configuration && (await search.explore({ ...configuration, rules: hazard.rules ?? [] }));
    hazards.push({ hazard: { ...hazard, why: hazard.why ?? "stopped by you" }, checked: checked ?? null });
  }
  const searched = hazards.flatMap(({ checked }) => (checked === null ? [] : [checked]));
  system.stdout.write(options.json === true ? renderJson({ hazards }) : renderHazards(hazards));
  saveFirst(searched, options, system);
  return searched.some(({ verdict }) => verdict === "broken");
};

const notSearched = (names: readonly string[]): string =>
  names.length === 0 ? "" : `not searched: ${names.join(", ")}\n`;

/** What is told of a search as JSON: not how long it took. */
const result = ({ ms, ...told }: Told & { readonly ms: number; readonly reductions?: Reductions }): object =>
  told.reductions === undefined
    ? told
    : { ...told, reductions: { ...told.reductions, ...sorted(told.reductions) } };

const shown = (
  head: string,
  checked: readonly (Told & { readonly ms: number })[],
  left: readonly string[],
  options: CheckOptions,
  system: System,
): string => {
  if (options.json === true) return renderJson({ checked: checked.map(result), notSearched: left });
  return [head, ...checked.flatMap((told) => storyIn(told, options, system))].join("\n");
};

/** The story of what broke, as wide as the screen. */
const storyIn = ({ story, shortest }: Told, { mermaid }: CheckOptions, system: System): string[] => {
  if (story === null) return [];
  if (mermaid === true) return [renderMermaid(story)];
  return [renderStory(story.configuration.name, story, shortest, screenOf(system.stdout, system).width)];
};

/** Walks go on with the seed behind the last; only breadth first keeps what it knows. */
const howToGoOn = (
  { checkpoint }: CheckOptions,
  { search, seed, exact, walks, reductions }: SearchSettings,
  left: readonly string[],
  last: WalkedMachine | undefined,
): string => {
  if (search === "walks" || search === "pct") {
    if (last?.end !== "interrupted") return `to go on: --config ${left.join(",")}\n`;
    const there = `--config ${last.configuration.name} --seed ${seed + last.walks} --walks ${walks - last.walks}`;
    return `to go on: ${there}${left.length === 0 ? "" : `; then --config ${left.join(",")}`}\n`;
  }
  if (checkpoint !== undefined) return `the same command goes on from ${checkpoint}\n`;
  if (search === "depth" || exact || reductions.disjoint === true)
    return `this search begins anew each time; breadth first without ${search === "depth" ? "more" : exact ? "--exact" : "--disjoint-steps"} takes --checkpoint FILE\n`;
  return "to be able to go on after Ctrl-C, begin with --checkpoint FILE\n";
};
