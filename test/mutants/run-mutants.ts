// All mutants, or those whose name or file begins as asked for: see scripts/mutants.mjs.

import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { CONFIGURATION_NAMES } from "../../src/check/machine/configurations/standard-configurations.ts";
import { type Bug, PLAYED_BUGS, SEARCHED_BUGS } from "./bug-corpus.ts";
import { EQUIVALENT_MUTANTS } from "./equivalent-mutants.ts";
import type { Attempt, Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { bundled, judged, thrownAway } from "./program.ts";
import {
  attemptName,
  bugsTable,
  code,
  equivalentTable,
  type JudgedBug,
  type JudgedMutant,
  mutantsTable,
  placed,
} from "./tables.ts";
import type { Verdict } from "./verdict.ts";

const PATH = "docs/mutants.md";

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

/** Where a mutant is looked for: first where it is expected, then in every standard configuration of tide. */
const attemptsFor = ({ attempts }: Mutant): readonly Attempt[] => {
  const names = new Set(attempts.map(attemptName));
  return [
    ...attempts,
    ...CONFIGURATION_NAMES.filter((name) => !names.has(name)).map((config) => ({ config })),
  ];
};

const judgeMutant = async (root: string, mutant: Mutant): Promise<JudgedMutant> => {
  const file = await bundled(root, mutant);
  try {
    const attempts = attemptsFor(mutant);
    const verdicts = await judged(file, attempts);
    const [attempt, verdict] = [attempts[verdicts.length - 1]!, verdicts.at(-1)!];
    say(`${verdict.found ? "found" : "NOT FOUND"}  ${mutant.name}: ${attemptName(attempt)}, ${verdict.by}`);
    return { mutant, attempt, verdict };
  } finally {
    thrownAway(file);
  }
};

const one = async (program: string, attempt: Attempt): Promise<Verdict> =>
  (await judged(program, [attempt])).at(-1)!;

const judgeBug = async (program: string, bug: Bug): Promise<JudgedBug> => {
  const [shown, fixed] = [await one(program, bug.shown), await one(program, bug.fixed)];
  say(`${isShown(bug, shown) ? "found" : "NOT FOUND"}  ${bug.id}: ${attemptName(bug.shown)}, ${shown.by}`);
  return { bug, shown, fixed };
};

/** A search finds a bug; a scenario that shows one holds, for it expects what goes wrong. */
const isShown = ({ shown }: Bug, verdict: Verdict): boolean =>
  "config" in shown ? verdict.found : !verdict.found;

/** Everything that a mutant is tried at, tried with no mutation. @returns what was found wrong all the same */
const falseAlarm = async (program: string, attempt: Attempt): Promise<string | undefined> => {
  const { found, by } = await one(program, attempt);
  if (found) say(`WRONG  without a mutation: ${attemptName(attempt)}, ${by}`);
  return found ? `${attemptName(attempt)}: ${by}` : undefined;
};

/** Does all, as many at a time as there are processors, and keeps their order. */
const inParallel = async <T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> => {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < all.length) {
      const place = next++;
      results[place] = await work(all[place]!);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
};

const uniqueAttempts = (mutants: readonly Mutant[]): readonly Attempt[] => [
  ...new Map(mutants.flatMap(attemptsFor).map((attempt) => [JSON.stringify(attempt), attempt])).values(),
];

const main = async (root: string, wanted: readonly string[]): Promise<number> => {
  const isWanted = (name: string): boolean =>
    wanted.length === 0 || wanted.some((start) => name.startsWith(start));
  const mutants = MUTANTS.filter(({ name, file }) => isWanted(name) || isWanted(file));
  const bugs = [...SEARCHED_BUGS, ...PLAYED_BUGS].filter(({ id }) => isWanted(id));
  const program = await bundled(root);
  try {
    const alarms = await inParallel(uniqueAttempts(mutants), (attempt) => falseAlarm(program, attempt));
    const ofMutants = await inParallel(mutants, (mutant) => judgeMutant(root, mutant));
    const ofBugs = await inParallel(bugs, (bug) => judgeBug(program, bug));
    writeDocument(root, ofMutants, ofBugs);
    return summed(ofMutants, ofBugs, alarms.filter((alarm) => alarm !== undefined).length);
  } finally {
    thrownAway(program);
  }
};

const writeDocument = (root: string, mutants: readonly JudgedMutant[], bugs: readonly JudgedBug[]): void => {
  const path = join(root, PATH);
  const before = readFileSync(path, "utf8");
  const names = MUTANTS.map(({ name }) => code(name));
  const ids = [...new Set([...SEARCHED_BUGS, ...PLAYED_BUGS].map(({ id }) => id))];
  const withMutants = placed(before, "mutants", mutantsTable(mutants), names);
  const withBugs = placed(withMutants, "bugs", bugsTable(bugs), ids);
  const equivalent = EQUIVALENT_MUTANTS.map(({ name }) => code(name));
  const document = placed(withBugs, "equivalent", equivalentTable(EQUIVALENT_MUTANTS), equivalent);
  if (document !== before) writeFileSync(path, document);
  say(`${PATH} ${document === before ? "was up to date" : "written"}`);
};

/** The last line, and the exit status. */
const summed = (mutants: readonly JudgedMutant[], bugs: readonly JudgedBug[], alarms: number): number => {
  const found = mutants.filter(({ verdict }) => verdict.found);
  const searched = found.filter(({ attempt }) => "config" in attempt);
  const clean = bugs.filter(({ bug, shown, fixed }) => isShown(bug, shown) && !fixed.found);
  say(
    `${found.length} of ${mutants.length} mutants found, ${searched.length} of them by check; ${clean.length} of ${bugs.length} bugs shown and clean without; ${alarms} found where nothing is wrong`,
  );
  return found.length === mutants.length && clean.length === bugs.length && alarms === 0 ? 0 : 1;
};

const [root = ".", ...wanted] = process.argv.slice(2);
process.exitCode = await main(root, wanted);
