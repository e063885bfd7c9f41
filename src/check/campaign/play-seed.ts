import type { MachineConfiguration } from "../machine/configurations/configuration.ts";
import { searchMachine } from "../machine/search-machine.ts";
import type { MachineSystem } from "../machine/system.ts";
import { VIOLATION, violationId } from "../machine/violations.ts";
import { type WalkViolation, walkRandomly } from "../random-walks.ts";
import { drawnConfiguration } from "./draw.ts";
import { walkersOf } from "./walkers.ts";

/** What a campaign plays. A seed's outcome depends on this and on the seed, and on nothing else. */
export interface CampaignPlan {
  readonly design: string;
  /** Invariants that count; empty: all. */
  readonly rules: readonly string[];
  /** Walks through the machine of a seed, half of them by priorities. */
  readonly walks: number;
  /** Steps after which a walk ends. */
  readonly steps: number;
}

/** A broken rule, and the way to it in the machine of a seed. */
export interface CampaignFailure {
  readonly seed: number;
  readonly configuration: MachineConfiguration;
  /** Number and id of the rule. */
  readonly violation: number;
  readonly broken: string;
  readonly path: readonly number[];
  readonly atRest: boolean;
}

/** What one seed came to, as plain JSON. */
export interface SeedOutcome {
  readonly seed: number;
  readonly walks: number;
  readonly steps: number;
  /** Walks that came to rest. */
  readonly rested: number;
  /** What the model leaves out, and a walk came upon. */
  readonly notModelled: boolean;
  readonly failure: CampaignFailure | null;
}

/** What the operator brought about: no mistake of anybody's. */
const NO_MISTAKES: ReadonlySet<number> = new Set([VIOLATION.NOT_MODELLED, VIOLATION.NO_ROOM]);

/** The first broken rule of a machine's walks. What is not modelled is none, nor is offlining that has no room. */
export const walkMachine = (
  system: MachineSystem,
  { walks, steps }: Pick<CampaignPlan, "walks" | "steps">,
  seed: number,
) => {
  const counts = { walks: 0, steps: 0, rested: 0, notModelled: false };
  let found: WalkViolation | undefined;
  for (const walker of walkersOf(seed)) {
    const result = walkRandomly(system, { walker, firstSeed: seed, walks: Math.ceil(walks / 2), steps });
    counts.walks += result.walks;
    counts.steps += result.steps;
    counts.rested += result.rested;
    for (const violation of result.violations)
      if (!NO_MISTAKES.has(violation.violation)) found ??= violation;
      else counts.notModelled ||= violation.violation === VIOLATION.NOT_MODELLED;
  }
  return { ...counts, found };
};

/** Draws the machine of a seed and walks through it. */
export const playSeed = async (
  { design, rules, ...walks }: CampaignPlan,
  seed: number,
): Promise<SeedOutcome> => {
  const configuration = drawnConfiguration(design, seed, rules);
  const { found, ...counts } = await searchMachine(configuration, (system) =>
    walkMachine(system, walks, seed),
  );
  if (found === undefined) return { seed, ...counts, failure: null };
  const { violation, path, atRest } = found;
  const failure = { seed, configuration, violation, broken: violationId(violation), path, atRest };
  return { seed, ...counts, failure };
};
