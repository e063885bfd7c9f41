import type { CampaignPlan, SeedOutcome } from "../check/campaign/play-seed.ts";

/** Names the threads of a campaign among others of the program. */
export const CAMPAIGN_THREAD = "campaign";

export interface CampaignThreadData {
  readonly kind: typeof CAMPAIGN_THREAD;
  readonly plan: CampaignPlan;
}

/** What a thread answers to the number of a seed. */
export type CampaignAnswer = { readonly outcome: SeedOutcome } | { readonly error: unknown };
