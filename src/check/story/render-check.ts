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

const endOf = (end: string): string => (end === "interrupted" ? "stopped by you" : `ended by ${end}`);

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

/** What the counts of a table are made with. Where something broke, partial order is off. */
export const renderReductions = ({ symmetry, partialOrder, disjoint }: Reductions): string => {
  const used = [
    ...(symmetry ? ["symmetry"] : []),
    ...(partialOrder ? ["partial order"] : []),
    ...(disjoint === true ? ["disjoint steps"] : []),
  ];
  return `reductions: ${used.length === 0 ? "none" : used.join(", ")}\n`;
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

const endingOf = ({ verdict, broken }: LiveMachine): string => {
  if (verdict === "broken") return `broken: ${broken.join(", ")}`;
  return verdict === "ends" ? "all ends" : "not known, ended by states";
};

/** One row a configuration: states, steps between them, waits for memory in use that may last, time, verdict. */
export const renderLive = (live: readonly (LiveMachine & { readonly ms: number })[]): string =>
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
      `${broken.join(", ")} in ${story.path.length} steps`,
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
  ["  before the first step: the machine boots", ...before.map(deedText)].join(", ");

/** A story as a transcript: one lane an actor, one row what others can see of it. */
export const renderStory = (name: string, story: Story, shortest = true): string => {
  const { violation, why, rows, path, configuration } = story;
  const actors = [...new Set(rows.map(({ actor }) => actor))];
  const lines = rows.map(({ step, steps, actor, what, effects }) => {
    const lane = actors.map((other) => (other === actor ? "*" : ".")).join(" ");
    const before = steps > 1 ? ` (${steps} steps)` : "";
    return [String(step).padStart(4), lane, actor, `${what}${before}`, effects.join("; ")];
  });
  const lanes = actors.map((actor, lane) => `  lane ${lane + 1}: ${actor}`).join("\n");
  const longer = shortest ? "" : " (there may be a shorter story)";
  const told = rows.length === 0 ? beforehand(configuration) : `${lanes}\n${padded(lines)}`;
  const steps = path.length === 1 ? "1 step" : `${path.length} steps`;
  return `${name}: ${steps} to ${violation}${longer}\n${told}\n  ${why}\n`;
};

/** The same as a Mermaid sequence diagram. */
export const renderMermaid = ({ rows, violation, roundFrom = Number.POSITIVE_INFINITY }: Story): string => {
  const actors = [...new Set(rows.length === 0 ? ["machine"] : rows.map(({ actor }) => actor))];
  const name = (actor: string): string => `a${actors.indexOf(actor)}`;
  const clean = (text: string): string => text.replaceAll(";", ",").replaceAll(":", " ");
  const noted = (isThere: (row: StoryRow) => boolean): string[] =>
    rows
      .filter((row) => row.effects.length > 0 && isThere(row))
      .map(({ actor, effects }) => `  Note over ${name(actor)}: ${clean(effects.join(", "))}`);
  const round = noted(({ step }) => step > roundFrom);
  const heads = actors.map((actor) => `  participant ${name(actor)} as ${clean(actor)}`);
  return [
    "sequenceDiagram",
    ...heads,
    ...noted(({ step }) => step <= roundFrom),
    ...(round.length === 0 ? [] : ["  loop for ever", ...round, "  end"]),
    `  Note over ${name(actors[0]!)}: ${clean(violation)}`,
    "",
  ].join("\n");
};
