// The program, mutated or not, tried at what shall find its mistakes. It is bundled once a mutant and runs in a process of
// its own, which prints a line of JSON an attempt and stops at the first that finds something.

import { checkMachine } from "../../src/check/machine/check-machine.ts";
import { standardConfiguration } from "../../src/check/machine/configurations/standard-configurations.ts";
import { ALL_REDUCTIONS } from "../../src/check/machine/reductions/reductions.ts";
import { machineSearch } from "../../src/check-run/machine-search.ts";
import type { RunReport } from "../../src/scenario/report.ts";
import { loadBundled, playInModel } from "../model-machine.ts";
import { withoutExpectations } from "./bug-corpus.ts";
import type { Attempt, Play, Search } from "./mutant.ts";
import type { Verdict } from "./verdict.ts";

/** Every standard configuration of tide is exhausted by then. */
const LIMITS = { states: 200_000, bytes: 2 ** 29 };
/** As `tidemark check` searches, so that what the reductions would hide is not found here either. */
const SEARCH = { threads: 1, limits: LIMITS, reductions: ALL_REDUCTIONS } as const;

const searched = async ({ config, design = "tide", changes, rules }: Search): Promise<Verdict> => {
  const standard = standardConfiguration(config, design);
  if (standard === undefined) throw new Error(`${config} is no standard configuration`);
  const configuration = { ...standard, ...changes, rules: rules ?? [] };
  const search = machineSearch(SEARCH);
  const { verdict, broken, states, story } = await checkMachine(configuration, { search });
  return { found: verdict === "broken", by: broken.join(", "), steps: story?.path.length ?? 0, states };
};

const shownBy = ({ violations, fate }: RunReport): string => {
  const declared = new Set(violations.filter(({ expected }) => expected).map(({ invariant }) => invariant));
  const end = fate.state === "running" ? [] : [fate.state];
  return [...declared, ...end].join(", ");
};

/** What a run broke that nobody expected, or the first expectation that was not met. */
const played = async ({ scenario, set, holds, known = [] }: Play): Promise<Verdict> => {
  const loaded = loadBundled(scenario, set);
  const { report } = await playInModel(holds === undefined ? loaded : withoutExpectations(loaded, holds));
  const unexpected = report.violations.filter(
    ({ expected, invariant }) => !expected && !known.includes(invariant),
  );
  const broken = [...new Set(unexpected.map(({ invariant }) => invariant))];
  const unmet = report.expectations.find(({ held }) => !held);
  const by = broken.length > 0 ? broken.join(", ") : unmet === undefined ? "" : `expected ${unmet.what}`;
  return { found: by !== "", by, steps: 0, states: 0, shows: shownBy(report) };
};

const tried = async (attempt: Attempt): Promise<Verdict> => {
  try {
    return await ("config" in attempt ? searched(attempt) : played(attempt));
  } catch (error) {
    const by = error instanceof Error ? error.message.split("\n")[0]! : String(error);
    return { found: true, by: `stops: ${by}`, steps: 0, states: 0 };
  }
};

const attempts: readonly Attempt[] = JSON.parse(process.argv[2] ?? "[]");
for (const attempt of attempts) {
  const verdict = await tried(attempt);
  process.stdout.write(`${JSON.stringify(verdict)}\n`);
  if (verdict.found) break;
}
