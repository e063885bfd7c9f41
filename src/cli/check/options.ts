import { availableParallelism } from "node:os";
import type { MachineConfiguration } from "../../check/machine/configurations/configuration.ts";
import {
  CONFIGURATION_NAMES,
  standardConfiguration,
} from "../../check/machine/configurations/standard-configurations.ts";
import type { Reductions } from "../../check/machine/reductions/reductions.ts";
import type { Walker } from "../../check/random-walks.ts";
import type { Limits } from "../../check/result.ts";
import { INVARIANTS } from "../../machine/invariants/table.ts";
import { suggest } from "../../scenario/nearest-name.ts";
import { describe, oneLine } from "../../scenario/scenario-error.ts";
import { UsageError } from "../exit-status.ts";
import { DESIGNS } from "../worlds.ts";

/** Ways to search, as `--search` names them. */
export const SEARCHES = ["breadth", "depth", "walks", "pct"] as const;
export type SearchName = (typeof SEARCHES)[number];

/** What the command line says, as text. */
export interface CheckOptions {
  readonly config?: string;
  readonly rules?: string;
  readonly search: SearchName;
  readonly maxStates: string;
  readonly maxMemory: string;
  readonly maxDepth?: string;
  readonly threads?: string;
  readonly exact?: boolean;
  readonly seed: string;
  readonly walks: string;
  readonly steps: string;
  readonly changes: string;
  readonly shrink?: boolean;
  readonly symmetry: boolean;
  readonly partialOrder: boolean;
  readonly disjointSteps?: boolean;
  readonly checkpoint?: string;
  readonly checkpointEvery: string;
  readonly json?: boolean;
  readonly mermaid?: boolean;
  readonly save?: string;
  readonly itf?: string;
  readonly replay?: string;
  readonly hazards?: boolean;
  readonly progress?: boolean;
}

/** How a check searches. */
export interface SearchSettings {
  readonly search: SearchName;
  readonly limits: Limits;
  readonly threads: number;
  readonly exact: boolean;
  readonly reductions: Reductions;
  readonly seed: number;
  readonly walker: Walker;
  readonly walks: number;
  readonly steps: number;
  /** Whether stories are made as small as they get. */
  readonly shrink: boolean;
}

const MIB = 2 ** 20;
/** Bytes stay whole numbers. */
const MOST_MIB = 2 ** 32;
/** More threads than this only wait for one another. */
const MOST_THREADS = 64;

export const wrong = (
  where: string,
  expected: string,
  found: string | undefined,
  advice: string,
): UsageError =>
  new UsageError(oneLine(`${where}: expected ${expected}, found ${describe(found)}; ${advice}`));

const ADVICE = "see tidemark check --help";

/** A bound that nobody comes to. */
const MOST = 1e12 - 1;

const whole = (option: string, text: string, least: number, most = MOST, unit = ""): number => {
  const number = Number(text);
  if (/^\d{1,12}$/.test(text) && least <= number && number <= most) return number;
  throw wrong(option, `a whole number${unit} from ${least} to ${most}`, text, ADVICE);
};

/** How the options ask to search. @throws UsageError */
export const settingsOf = (options: CheckOptions): SearchSettings => {
  const { search, maxDepth, exact = false } = options;
  const depth = maxDepth === undefined ? undefined : whole("--max-depth", maxDepth, 1, 65_535);
  const limits = {
    states: whole("--max-states", options.maxStates, 1),
    bytes: whole("--max-memory", options.maxMemory, 1, MOST_MIB, " of MiB") * MIB,
    ...(depth === undefined ? {} : { depth }),
  };
  const cores = Math.min(MOST_THREADS, availableParallelism());
  const walks = search === "walks" || search === "pct";
  refuseCombinations(options, walks);
  const changes = whole("--changes", options.changes, 0, 1000);
  return {
    ...{ search, limits, exact, shrink: options.shrink === true },
    threads: options.threads === undefined ? cores : whole("--threads", options.threads, 1, MOST_THREADS),
    // A bound of depth counts every step, and those that partial order merges have no count.
    reductions: {
      ...{ symmetry: options.symmetry, partialOrder: options.partialOrder && depth === undefined },
      ...(options.disjointSteps === true && { disjoint: true }),
    },
    seed: whole("--seed", options.seed, 0, 2 ** 32 - 1),
    walker: search === "pct" ? { kind: "pct", changes } : { kind: "uniform" },
    walks: whole("--walks", options.walks, 1),
    steps: whole("--steps", options.steps, 1, 10_000_000),
  };
};

/** What one search has and another has not is refused rather than left out. */
const refuseCombinations = (options: CheckOptions, walks: boolean): void => {
  const { search, exact, checkpoint, hazards, rules, mermaid, symmetry, partialOrder } = options;
  const breadth = search === "breadth";
  refuseDisjoint(options);
  if (hazards === true && !breadth)
    throw wrong(
      "--search",
      "breadth, which tells shortest stories, beside --hazards",
      search,
      "leave one out",
    );
  if (hazards === true && rules !== undefined)
    throw wrong("--rules", "no --hazards, which has rules of its own", "both", "leave one out");
  if (hazards === true && mermaid === true)
    throw wrong("--mermaid", "no --hazards, which prints a table only", "both", "leave one out");
  if (exact === true && walks)
    throw wrong("--exact", "a search that keeps states", `--search ${search}`, "leave one out");
  const off = symmetry ? "--no-partial-order" : "--no-symmetry";
  if (!(symmetry && partialOrder) && walks)
    throw wrong(off, "a search that keeps states", `--search ${search}`, "leave one out");
  if (checkpoint !== undefined && (!breadth || exact === true))
    throw wrong(
      "--checkpoint",
      "a search that has checkpoints, which is breadth first and not exact",
      exact === true ? "--exact" : `--search ${search}`,
      "leave one out",
    );
  whole("--checkpoint-every", options.checkpointEvery, 0, 86_400);
};

/** Steps on what nobody else will come to are passed over only where the search can do without them. */
const refuseDisjoint = ({
  disjointSteps,
  search,
  checkpoint,
  maxDepth,
  partialOrder,
  hazards,
}: CheckOptions): void => {
  if (disjointSteps !== true) return;
  const found = [
    ...(search === "breadth" ? [] : [`--search ${search}`]),
    ...(checkpoint === undefined ? [] : ["--checkpoint"]),
    ...(maxDepth === undefined ? [] : ["--max-depth"]),
    ...(partialOrder ? [] : ["--no-partial-order"]),
    ...(hazards === true ? ["--hazards"] : []),
  ];
  if (found.length > 0)
    throw wrong("--disjoint-steps", "breadth first with partial order only", found[0]!, "leave one out");
};

const RULE_NAMES: readonly string[] = INVARIANTS.map(({ id }) => id);

/** Configurations to search, each once. @throws UsageError */
export const configurationsOf = (
  design: string | undefined,
  options: CheckOptions,
): MachineConfiguration[] => {
  if (design === undefined || !DESIGNS.includes(design))
    throw wrong("design", "a design", design, suggest(design ?? "", DESIGNS));
  const rules = options.rules?.split(",").map((rule) => rule.trim()) ?? [];
  for (const rule of rules)
    if (!RULE_NAMES.includes(rule))
      throw wrong("--rules", "invariants such as I2,I11", rule, suggest(rule, RULE_NAMES));
  const names = options.config?.split(",").map((name) => name.trim()) ?? CONFIGURATION_NAMES;
  return [...new Set(names)].map((name) => {
    const configuration = standardConfiguration(name, design);
    if (configuration === undefined)
      throw wrong("--config", "a standard configuration", name, suggest(name, CONFIGURATION_NAMES));
    return { ...configuration, rules };
  });
};
