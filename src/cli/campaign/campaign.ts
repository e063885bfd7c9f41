import { type ShrunkFailure, shrinkFailure, toldFailure } from "../../check/campaign/shrink-failure.ts";
import { grouped, renderStory } from "../../check/story/render-check.ts";
import { storyFile } from "../../check/story/story-file.ts";
import { CAMPAIGN_MODULE } from "../../check-run/campaign-thread.ts";
import { type CampaignCounts, type CampaignResult, runCampaign } from "../../check-run/run-campaign.ts";
import { renderJson } from "../../scenario/render/json.ts";
import { oneLine } from "../../scenario/scenario-error.ts";
import { EXIT, UsageError } from "../exit-status.ts";
import { Interruption } from "../interruption.ts";
import { Progress } from "../progress.ts";
import { reason } from "../read-scenario.ts";
import type { System } from "../system.ts";
import { type CampaignOptions, type CampaignSettings, campaignSettings } from "./options.ts";

/** Milliseconds in which what is known is told after a signal. A second one ends it at once. */
const GRACE_MS = 60_000;

export type { CampaignOptions } from "./options.ts";

/**
 * `tidemark campaign DESIGN`: walks through many machines, one a seed, up to the first that breaks a rule.
 *
 * @returns 0 if all held; 1 if something broke, which is told; a signal's status if one ended it
 * @throws UsageError: the input is wrong
 */
export const campaign = async (design: string, options: CampaignOptions, system: System): Promise<number> => {
  const settings = campaignSettings(design, options);
  const interruption = new Interruption(system, GRACE_MS);
  const progress = new Progress(system);
  interruption.listen();
  try {
    const result = await runCampaign({
      ...settings,
      ...(CAMPAIGN_MODULE && { module: CAMPAIGN_MODULE }),
      signal: interruption.signal,
      progress: (counts) => progress.say(`${design}: ${countsText(counts)}`),
    });
    const told = await toldOf(result, options, settings, progress, interruption, system);
    progress.clear();
    system.stdout.write(shown(design, settings, result, told, options));
    if (told !== undefined && options.save !== undefined) save(options.save, told, system);
    return told !== undefined ? EXIT.broken : (interruption.status ?? EXIT.held);
  } finally {
    progress.clear();
    interruption.close();
  }
};

/** The story of the failure, made small unless nobody asked for that. */
const toldOf = async (
  { failure }: CampaignResult,
  { shrink }: CampaignOptions,
  { plan }: CampaignSettings,
  progress: Progress,
  interruption: Interruption,
  system: System,
): Promise<ShrunkFailure | undefined> => {
  if (failure === null) return undefined;
  if (!shrink) return toldFailure(failure);
  const between = async (tried: number): Promise<boolean> => {
    progress.say(`seed ${failure.seed} breaks ${failure.broken}: smaller machines tried: ${tried}`);
    await system.breathe();
    return interruption.status === undefined;
  };
  return shrinkFailure(failure, { plan, between });
};

const several = (count: number, what: string): string => `${grouped(count)} ${what}${count === 1 ? "" : "s"}`;

const countsText = ({ seeds, walks, steps, rested, notModelled }: CampaignCounts): string =>
  [
    several(seeds, "seed"),
    several(walks, "walk"),
    several(steps, "step"),
    `${several(rested, "walk")} came to rest`,
    ...(notModelled > 0 ? [`${several(notModelled, "seed")} met what is not modelled`] : []),
  ].join(", ");

const shown = (
  design: string,
  { last }: CampaignSettings,
  result: CampaignResult,
  told: ShrunkFailure | undefined,
  { json }: CampaignOptions,
): string => {
  const { failure, next } = result;
  if (json === true) return renderJson({ design, ...result, shrunk: told ?? null });
  const lines = [`${design}: ${countsText(result)}`];
  if (next !== null) lines.push(`stopped by you: held so far; go on with --seeds ${next}..${last}`);
  else if (failure === null) lines.push("held in every walk");
  if (failure === null || told === undefined) return `${lines.join("\n")}\n`;
  lines.push(
    `seed ${failure.seed} breaks ${failure.broken}, in ${failure.path.length} steps as it was found`,
  );
  return `${lines.join("\n")}\n\n${renderStory(machineText(told), told.story)}`;
};

/** The machine of a story in one line. */
const machineText = ({ failure: { configuration } }: ShrunkFailure): string => {
  const { name, vcpus, staticUnits, device, fault } = configuration;
  const parts = [
    several(vcpus, "vCPU"),
    `${staticUnits * 2}M of boot memory`,
    `${device.units * 2}M ${device.kind}`,
  ];
  return `${name} (${[...parts, ...(fault === null ? [] : [`${fault.call} ${fault.answer}`])].join(", ")})`;
};

const save = (path: string, { failure, story }: ShrunkFailure, system: System): void => {
  try {
    system.writeText(path, storyFile(failure.configuration, story));
  } catch (error) {
    throw new UsageError(
      oneLine(`--save ${path}: expected a file that can be written, found one that ${reason(error)}`),
      { cause: error },
    );
  }
};
