import type { MachineConfiguration } from "../machine/configuration.ts";
import { searchMachine } from "../machine/search-machine.ts";
import type { MachineSystem } from "../machine/system.ts";
import { walkRandomly } from "../random-walks.ts";
import { tokensOf } from "../replay.ts";
import { shrink } from "../shrink.ts";
import { confirmedStory, type Story } from "../story/story.ts";
import { type CampaignFailure, type CampaignPlan, walkersOf } from "./play-seed.ts";
import { smallerConfigurations } from "./smaller.ts";

/** A failure in the smallest machine that was found to have it, and its story. */
export interface ShrunkFailure {
  readonly failure: CampaignFailure;
  readonly story: Story;
}

export interface ShrinkOptions {
  readonly plan: CampaignPlan;
  /** Smaller machines that are tried at most. */
  readonly tries?: number;
  /** Called before each machine that is tried. @returns false to be content with what there is */
  readonly between?: (tried: number) => Promise<boolean>;
}

/** States that are met to find a story with fewer steps than any walk had. */
const STATES = 5000;
const BYTES = 2 ** 28;
/** Shorter stories that are tried: each replays hundreds of steps. */
const STORIES = 400;
/** Walks of each kind through a smaller machine. */
const WALKS = 3;
/** Machines that are tried, unless told otherwise. */
const USUAL_TRIES = 100;

/** Walks through another machine, up to the first that breaks the same rule. */
const foundAgain = (
  configuration: MachineConfiguration,
  { seed, violation, broken }: CampaignFailure,
  { steps }: CampaignPlan,
): Promise<CampaignFailure | undefined> =>
  searchMachine(configuration, (system) => {
    for (const walker of walkersOf(seed)) {
      const { violations } = walkRandomly(system, { walker, firstSeed: seed, walks: WALKS, steps });
      const found = violations.find((other) => other.violation === violation);
      if (found === undefined) continue;
      return { seed, configuration, violation, broken, path: found.path, atRest: found.atRest };
    }
    return undefined;
  });

/** The fewest steps, then the fewest switches of actor, in this machine. */
const shortened = (failure: CampaignFailure): Promise<ShrunkFailure> =>
  searchMachine(failure.configuration, (system: MachineSystem) => {
    const { violation, configuration, path, atRest } = failure;
    const tokens = tokensOf(system, path);
    const limits = { states: STATES, bytes: BYTES };
    const best = shrink(
      { configuration, tokens, path, violation, atRest },
      { open: () => system, smaller: () => [], limits, tries: STORIES },
    );
    const found = { violation, path: best.path, atRest: best.atRest };
    return {
      failure: { ...failure, path: best.path, atRest: best.atRest },
      story: confirmedStory(system, found),
    };
  });

/** The story as it is. */
export const toldFailure = (failure: CampaignFailure): Promise<ShrunkFailure> =>
  searchMachine(failure.configuration, (system) => ({ failure, story: confirmedStory(system, failure) }));

/**
 * Shrinks a failure: the machine, as long as walks through a smaller one break the same rule; then its story. The same
 * comes out every time, unless it is stopped.
 *
 * @missing a promise that no smaller machine has it: walks may miss it; and that no story is shorter, after 400 were tried
 */
export const shrinkFailure = async (
  failure: CampaignFailure,
  { plan, tries = USUAL_TRIES, between = async () => true }: ShrinkOptions,
): Promise<ShrunkFailure> => {
  let best = failure;
  let stopped = false;
  let tried = 0;
  const smallerOne = async (): Promise<CampaignFailure | undefined> => {
    for (const configuration of smallerConfigurations(best.configuration)) {
      if (tried === tries) return undefined;
      stopped = !(await between(tried++));
      if (stopped) return undefined;
      const found = await foundAgain(configuration, failure, plan);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  for (let next = await smallerOne(); next !== undefined; next = await smallerOne()) best = next;
  return stopped ? toldFailure(best) : shortened(best);
};
