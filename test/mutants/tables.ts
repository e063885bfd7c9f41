import type { Bug } from "./bug-corpus.ts";
import type { EquivalentMutant } from "./equivalent-mutants.ts";
import type { Attempt, Mutant } from "./mutant.ts";
import type { Verdict } from "./verdict.ts";

/** A mutant and what found it; none did if the last verdict says so. */
export interface JudgedMutant {
  readonly mutant: Mutant;
  readonly attempt: Attempt;
  readonly verdict: Verdict;
}

export interface JudgedBug {
  readonly bug: Bug;
  readonly shown: Verdict;
  readonly fixed: Verdict;
}

const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, " ");

export const attemptName = (attempt: Attempt): string => {
  if ("scenario" in attempt) return ["scenario", attempt.scenario, ...(attempt.set ?? [])].join(" ");
  const { config, design, changes } = attempt;
  const fault = changes?.fault ?? null;
  return [
    config,
    ...(design === undefined ? [] : [`of ${design}`]),
    ...(fault === null ? [] : [`with ${fault.call} ${fault.answer}`]),
    ...(changes?.programs === undefined ? [] : ["with another program"]),
  ].join(" ");
};

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ");

export const code = (text: string): string =>
  `\`${text.replaceAll("`", "'").replaceAll("|", "\\|").replaceAll(/\s+/g, " ").trim()}\``;

export const mutantsTable = (judged: readonly JudgedMutant[]): string =>
  table(
    ["mutant", "file", "kind", "searched in", "breaks", "steps", "states"],
    judged.map(({ mutant, attempt, verdict: { found, by, steps, states } }) => [
      code(mutant.name),
      mutant.file,
      mutant.kind,
      found ? attemptName(attempt) : "everywhere",
      found ? cell(by) : "NOT FOUND",
      steps === 0 ? "" : String(steps),
      states === 0 ? "" : grouped(states),
    ]),
  );

export const equivalentTable = (mutants: readonly EquivalentMutant[]): string =>
  table(
    ["mutant", "file", "text", "instead", "what makes up for it", "why"],
    mutants.map(({ name, file, from, to, by, why }) => [
      ...[code(name), file, code(from), to === "" ? "nothing" : code(to)],
      ...[`${by[0]}: ${code(by[1])}`, why],
    ]),
  );

const shownText = ({ found, by, steps, shows }: Verdict): string =>
  found
    ? `${cell(by)}${steps > 0 ? ` in ${steps} steps` : ""}`
    : shows === ""
      ? "what the file expects"
      : cell(shows ?? "");

export const bugsTable = (judged: readonly JudgedBug[]): string =>
  table(
    ["bug", "shown by", "what breaks", "without it", "then"],
    judged.map(({ bug, shown, fixed }) => [
      bug.id,
      attemptName(bug.shown),
      shownText(shown),
      "config" in bug.fixed ? `${attemptName(bug.fixed)} of tide` : (bug.fixed.set ?? []).join(" "),
      fixed.found ? `NOT CLEAN: ${cell(fixed.by)}` : "clean",
    ]),
  );

/** What lies between the marks of `name`. @throws Error when the document has none */
const between = (document: string, name: string): readonly [start: number, end: number] => {
  const [from, to] = [`<!-- made: ${name} -->`, `<!-- end: ${name} -->`];
  const [start, end] = [document.indexOf(from), document.indexOf(to)];
  if (start === -1 || end < start) throw new Error(`docs/mutants.md: expected the marks ${from} and ${to}`);
  return [start + from.length, end];
};

const nameOf = (row: string): string => row.split(" | ")[0] ?? "";

/**
 * Puts a table's rows in the place of those that begin alike, for `names` in their order. Rows of other names go.
 *
 * @param names first cells of all rows that there shall be
 */
export const placed = (document: string, name: string, made: string, names: readonly string[]): string => {
  const [start, end] = between(document, name);
  const [head = "", rule = "", ...rows] = made.split("\n");
  const old = document.slice(start, end).split("\n");
  const lines = names.flatMap((first) => {
    const fresh = rows.filter((row) => nameOf(row) === `| ${first}`);
    return fresh.length > 0 ? fresh : old.filter((row) => nameOf(row) === `| ${first}`);
  });
  return `${document.slice(0, start)}\n\n${[head, rule, ...lines].join("\n")}\n\n${document.slice(end)}`;
};
