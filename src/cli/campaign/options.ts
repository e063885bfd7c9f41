import { availableParallelism } from "node:os";
import type { CampaignPlan } from "../../check/campaign/play-seed.ts";
import { INVARIANTS } from "../../machine/invariants/table.ts";
import { suggest } from "../../scenario/nearest-name.ts";
import { describe, oneLine } from "../../scenario/scenario-error.ts";
import { UsageError } from "../exit-status.ts";
import { DESIGNS } from "../worlds.ts";

/** What the command line says, as text. */
export interface CampaignOptions {
  readonly seeds: string;
  readonly rules?: string;
  readonly walks: string;
  readonly steps: string;
  readonly threads?: string;
  readonly shrink: boolean;
  readonly save?: string;
  readonly json?: boolean;
}

export interface CampaignSettings {
  readonly plan: CampaignPlan;
  readonly first: number;
  readonly last: number;
  readonly threads: number;
}

/** Seeds and their sums stay whole numbers. */
const MOST_SEED = 2 ** 40;
/** More threads than this only wait for one another. */
const MOST_THREADS = 64;

const wrong = (where: string, expected: string, found: string, advice: string): UsageError =>
  new UsageError(oneLine(`${where}: expected ${expected}, found ${describe(found)}; ${advice}`));

const HELP = "see tidemark campaign --help";

const positive = (option: string, text: string, most: number): number => {
  if (!/^[1-9]\d{0,12}$/.test(text) || Number(text) > most)
    throw wrong(option, `a whole number from 1 to ${most}`, text, HELP);
  return Number(text);
};

const rangeOf = (text: string): readonly [first: number, last: number] => {
  const match = /^(\d{1,13})(?:\.\.(\d{1,13}))?$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || first > last || last > MOST_SEED)
    throw wrong("--seeds", "a range such as 1..10000", text, HELP);
  return [first, last];
};

const rulesOf = (text: string | undefined): readonly string[] => {
  const rules = text?.split(",").map((rule) => rule.trim()) ?? [];
  for (const rule of rules)
    if (!INVARIANTS.some(({ id }) => id === rule))
      throw wrong("--rules", "invariants such as I2,I11", rule, "docs/hazards.md lists them");
  return rules;
};

/** What a campaign is to do. @throws UsageError for what it cannot do */
export const campaignSettings = (design: string, options: CampaignOptions): CampaignSettings => {
  if (!DESIGNS.includes(design)) throw wrong("design", "a design", design, suggest(design, DESIGNS));
  const [first, last] = rangeOf(options.seeds);
  const { threads, walks, steps, rules } = options;
  return {
    plan: {
      design,
      rules: rulesOf(rules),
      walks: positive("--walks", walks, 1_000_000),
      steps: positive("--steps", steps, 1_000_000),
    },
    first,
    last,
    threads: threads === undefined ? availableParallelism() : positive("--threads", threads, MOST_THREADS),
  };
};
