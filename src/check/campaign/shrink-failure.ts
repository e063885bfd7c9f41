import { searchMachine } from "../machine/search-machine.ts";
import { shrinkStory } from "../machine/shrinking/shrink-machine.ts";
import { confirmedStory, type Story } from "../story/story.ts";
import type { CampaignFailure, CampaignPlan } from "./play-seed.ts";

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

/** The story as it is. */
export const toldFailure = (failure: CampaignFailure): Promise<ShrunkFailure> =>
  searchMachine(failure.configuration, (system) => ({ failure, story: confirmedStory(system, failure) }));

/** Shrinks a failure as any story is shrunk, walking through smaller machines in place of a search. */
export const shrinkFailure = async (
  failure: CampaignFailure,
  { plan, tries, between }: ShrinkOptions,
): Promise<ShrunkFailure> => {
  const { story: told } = await toldFailure(failure);
  const story = await shrinkStory(told, {
    ...{ shortest: false, walks: { seed: failure.seed, steps: plan.steps } },
    ...(tries !== undefined && { machines: tries }),
    ...(between && { between }),
  });
  const { configuration, path, atRest } = story;
  return { failure: { ...failure, configuration, path, atRest }, story };
};
