import { wrap } from "../../scenario/render/paint.ts";
import type { CheckedMachine } from "../machine/check-machine.ts";
import type { MachineConfiguration } from "../machine/configurations/configuration.ts";
import type { Hazard } from "../machine/configurations/hazards.ts";
import { deedText } from "../machine/configurations/programs.ts";
import { GOAL_TABLES } from "../machine/goals.ts";
import type { LiveMachine } from "../machine/liveness.ts";
import type { Reductions } from "../machine/reductions/reductions.ts";
import type { WalkedMachine } from "../machine/walk-machine.ts";
import type { Story, StoryRow } from "./story.ts";

const padded = (rows: readonly (readonly string[])[]): string =>
  rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(Math.max(...rows.map((other) => other[column]!.length))))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");

/** Numbers with a blank between groups of three digits. */
export const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, " ");

/** A count and what is counted. */
const several = (count: number, what: string): string => `${grouped(count)} ${what}${count === 1 ? "" : "s"}`;

/** What a user raises to see more, by what ended a search. */
const ENDS: { readonly [end: string]: string } = {
  interrupted: "stopped by you",
  depth: "ended by --max-depth",
  states: "ended by --max-states",
  memory: "ended by --max-memory",
  walks: "ended by --walks",
};

const endOf = (end: string): string => ENDS[end] ?? `ended by ${end}`;

const verdictOf = ({ verdict, broken, end }: CheckedMachine | WalkedMachine): string => {
  if (verdict === "broken") return `broken: ${broken.join(", ")}`;
  return verdict === "held" ? "held" : `held so far, ${endOf(end)}`;
};

/** Milliseconds as seconds, minutes where there are many. */
const timeOf = (ms: number): string => {
  const seconds = ms / 1000;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
};

const namesOf = ({ symmetry, partialOrder, disjoint }: Reductions): string => {
  const used = [
    ...(symmetry ? ["symmetry"] : []),
    ...(partialOrder ? ["partial order"] : []),
    ...(disjoint === true ? ["disjoint steps"] : []),
  ];
  return used.length === 0 ? "none" : used.join(", ");
};

/** What the counts of a table are made with. Where something broke they are of another search, mostly without partial order. */
export const renderReductions = (asked: Reductions, checked: readonly CheckedMachine[] = []): string => {
  const others = checked
    .filter(({ verdict }) => verdict === "broken")
    .map(({ reductions }) => namesOf(reductions));
  const other = others.find((names) => names !== namesOf(asked));
  return `reductions: ${namesOf(asked)}${other === undefined ? "" : `; where something broke: ${other}`}\n`;
};

/** One row a configuration: states, steps to the farthest, time, verdict. */
export const renderTable = (checked: readonly (CheckedMachine & { readonly ms: number })[]): string =>
  `${padded([
    ["configuration", "states", "depth", "time", "verdict"],
    ...checked.map((one) => {
      const { configuration, states, depth, ms } = one;
      return [configuration.name, grouped(states), String(depth), timeOf(ms), verdictOf(one)];
    }),
  ])}\n`;

/** What of each table no search saw: a table, and the shorter way to say which of its names. */
export const neverSeen = (checked: readonly CheckedMachine[]): readonly (readonly [string, string])[] => {
  if (checked.length === 0) return [];
  const seen = new Set(checked.flatMap((one) => one.seen));
  return Object.entries(GOAL_TABLES).flatMap(([table, names]): (readonly [string, string])[] => {
    const never = names.filter((name) => !seen.has(`${table}: ${name}`));
    const met = names.filter((name) => seen.has(`${table}: ${name}`));
    if (never.length === 0) return [];
    if (met.length === 0) return [[table, `all ${names.length}`]];
    const few = met.length < never.length ? `all but ${met.join("; ")}` : never.join("; ");
    return [[table, `${never.length} of ${names.length}: ${few}`]];
  });
};

/** One row a configuration: walks, steps of all of them, walks that came to rest, time, verdict. */
export const renderWalks = (walked: readonly (WalkedMachine & { readonly ms: number })[]): string =>
  `${padded([
    ["configuration", "walks", "steps", "rested", "time", "verdict"],
    ...walked.map((one) => {
      const counts = [one.walks, one.steps, one.rested].map(grouped);
      const seed = one.end === "violation" ? ` by walk ${one.firstSeed + one.walks - 1}` : "";
      return [one.configuration.name, ...counts, timeOf(one.ms), `${verdictOf(one)}${seed}`];
    }),
  ])}\n`;

/** Whether all that is begun ends, and what ended the look at it. */
export interface EndedLive extends LiveMachine {
  readonly end: "complete" | "violation" | "states" | "interrupted";
}

const endingOf = ({ verdict, broken, end }: EndedLive): string => {
  if (verdict === "broken") return `broken: ${broken.join(", ")}`;
  return verdict === "ends" ? "all ends" : `not known, ${endOf(end)}`;
};

/** One row a configuration: states, steps between them, waits for memory in use that may last, time, verdict. */
export const renderLive = (live: readonly (EndedLive & { readonly ms: number })[]): string =>
  `${padded([
    ["configuration", "states", "steps", "waits", "time", "verdict"],
    ...live.map((one) => {
      const counts = [one.states, one.steps, one.waits].map(grouped);
      return [one.configuration.name, ...counts, timeOf(one.ms), endingOf(one)];
    }),
  ])}\n`;

/** A hazard and what its search came to; null: it is not searched for. */
export interface CheckedHazard {
  readonly hazard: Hazard;
  readonly checked: CheckedMachine | null;
}

const foundOf = ({ hazard, checked }: CheckedHazard): readonly string[] => {
  if (checked === null) return ["", "", `not searched: ${hazard.why ?? ""}`];
  const { story, states, broken, verdict, end } = checked;
  if (story !== null)
    return [
      checked.configuration.name,
      grouped(states),
      `${broken.join(", ")} in ${several(story.path.length, "step")}`,
    ];
  return [
    checked.configuration.name,
    grouped(states),
    verdict === "held" ? "absent" : `absent so far, ${endOf(end)}`,
  ];
};

/** Hazards as a Markdown table. */
export const renderHazards = (hazards: readonly CheckedHazard[]): string =>
  [
    "| hazard | what | configuration | states | found |",
    "| --- | --- | --- | --- | --- |",
    ...hazards.map((one) => `| ${[one.hazard.id, one.hazard.says, ...foundOf(one)].join(" | ")} |`),
    "",
  ].join("\n");

/** A machine that is broken before anybody chooses anything. */
const beforehand = ({ before }: MachineConfiguration): string =>
  ["before the first step: the machine boots", ...before.map(deedText)].join(", ");

/** Columns of a mail. */
const WIDTH = 80;
/** Before what a row shows, where it does not fit beside it. */
const BELOW = " ".repeat(8);

const wrapped = (text: string, width: number, before: string): string[] =>
  wrap(text, width - before.length).map((line) => `${before}${line}`);

const titleOf = (name: string, { broken, violation, rows }: Story, shortest: boolean): string => {
  const steps = several(rows.at(-1)?.step ?? 0, "step");
  if (!broken) return `${name}: ${steps}, and nothing is wrong`;
  return `${name}: ${steps} to ${violation}${shortest ? "" : " (there may be a shorter story)"}`;
};

/**
 * A story as a transcript: one lane an actor, one row what others can see of it.
 *
 * @param width columns; what rows show stands below them where it does not fit
 */
export const renderStory = (name: string, story: Story, shortest = true, width = WIDTH): string => {
  const { rows, why, configuration } = story;
  const actors = [...new Set(rows.map(({ actor }) => actor))];
  const cells = rows.map(({ step, steps, actor, what }) => {
    const lane = actors.map((other) => (other === actor ? "*" : ".")).join(" ");
    return [String(step).padStart(4), lane, actor, `${what}${steps > 1 ? ` (${steps} steps)` : ""}`];
  });
  const beside = padded(cells.map((row, at) => [...row, rows[at]!.effects.join("; ")])).split("\n");
  const alone = padded(cells).split("\n");
  const fits = beside.every(({ length }) => length <= width);
  const below = (at: number) => (rows[at]?.effects ?? []).flatMap((effect) => wrapped(effect, width, BELOW));
  const lines = fits ? beside : alone.flatMap((line, at) => [line, ...below(at)]);
  const told = rows.length === 0 ? wrapped(beforehand(configuration), width, "  ") : lines;
  const [title = "", ...rest] = wrap(titleOf(name, story, shortest), width);
  const head = [title, ...rest.map((line) => `  ${line}`)];
  const legend = actors.map((actor, lane) => `  lane ${lane + 1}: ${actor}`);
  const all = [...head, ...legend, ...told, ...wrapped(why, width, "  ")];
  return `${all.join("\n")}\n`;
};

/** What would end a text of a diagram. */
const clean = (text: string): string => text.replaceAll(";", ",").replaceAll("#", "");

/** The same as a Mermaid sequence diagram: a note a row, and over all lanes what is broken and why. */
export const renderMermaid = ({
  rows,
  violation,
  why,
  roundFrom = Number.POSITIVE_INFINITY,
}: Story): string => {
  const actors = [...new Set(rows.map(({ actor }) => actor))];
  const name = (actor: string): string => `a${actors.indexOf(actor)}`;
  const noted = (isThere: (row: StoryRow) => boolean): string[] =>
    rows
      .filter(isThere)
      .map(({ actor, effects, what }) => [name(actor), effects.length === 0 ? what : effects.join(", ")])
      .map(([over, text]) => `  Note over ${over}: ${clean(text!)}`);
  const round = noted(({ step }) => step > roundFrom);
  // Nobody took a step where the first state is wrong.
  const lanes = actors.length === 0 ? ["machine"] : actors;
  const heads = lanes.map((lane, at) => `  participant a${at} as ${clean(lane).replaceAll(":", " ")}`);
  const all = lanes.length === 1 ? "a0" : `a0,a${lanes.length - 1}`;
  return [
    "sequenceDiagram",
    ...heads,
    ...noted(({ step }) => step <= roundFrom),
    ...(round.length === 0 ? [] : ["  loop for ever", ...round, "  end"]),
    `  Note over ${all}: ${clean([violation, why].filter((text) => text !== "").join("<br/>"))}`,
    "",
  ].join("\n");
};
