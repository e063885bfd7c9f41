import type { Command } from "commander";
import type { System } from "../system.ts";
import type { CampaignOptions } from "./campaign.ts";

const CAMPAIGN_HELP = `
Each seed is a machine of its own: it draws which features there are, how many vCPUs and units, what the operator and the users
do, and which fault may happen once. Walks go through it by chance and by priorities, with every invariant looked at. The first
seed that breaks one ends the campaign; its machine and its story are made as small as they get.

Examples:
  tidemark campaign tide --seeds 1..1000
  tidemark campaign bitmaps --rules I2,I3 --save story.json
  tidemark check --replay story.json
`;

export const addCampaign = (tidemark: Command, system: System, finish: (status: number) => void): void => {
  tidemark
    .command("campaign")
    .description("walk through many larger machines, one a seed, and tell the story of the first that breaks")
    .argument("<design>", "design that does the guest's part of hotplug")
    .option("--seeds <range>", "seeds to play, such as 1..10000", "1..100")
    .option("--rules <ids>", "invariants that count, such as I2,I11; all if absent")
    .option("--walks <n>", "walks through the machine of a seed", "8")
    .option("--steps <n>", "steps after which a walk ends", "3000")
    .option("--threads <n>", "threads; as many as there are processors if absent")
    .option("--no-shrink", "tell the story as it was found")
    .option("--save <file>", "write the story to a file that check --replay plays")
    .option("--json", "print one JSON document")
    .addHelpText("after", CAMPAIGN_HELP)
    .action(async (design: string, options: CampaignOptions) => {
      const { campaign } = await import("./campaign.ts");
      finish(await campaign(design, options, system));
    });
};
