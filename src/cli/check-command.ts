import { type Command, Option } from "commander";
import type { CheckOptions } from "./check.ts";
import type { System } from "./system.ts";

const CHECK_HELP = `
The machine is the program itself, made as small as it gets: a few units of 2 MiB, two vCPUs, one device. Any actor that is
ready may go next; the clocks do not count. Ctrl-C ends the search and prints what is known.

Examples:
  tidemark check tide
  tidemark check bitmaps --config sub-blocks,replug --max-states 50000
  tidemark check bitmaps --config grow-shrink --rules I2,I11 --save story.json
  tidemark check --replay story.json
`;

export const addCheck = (tidemark: Command, system: System, finish: (status: number) => void): void => {
  tidemark
    .command("check")
    .description("explore every interleaving of small machines, and tell the shortest story of what breaks")
    .argument("[design]", "design that does the guest's part of hotplug")
    .option("--config <names>", "standard configurations, such as replug,dimm; all if absent")
    .option("--rules <ids>", "invariants that count, such as I2,I11; all if absent")
    .option("--max-states <n>", "states of a configuration after which its search ends", "200000")
    .option("--max-memory <MiB>", "memory of a search after which it ends", "1024")
    .addOption(new Option("--json", "print one JSON document").conflicts("mermaid"))
    .option("--mermaid", "tell stories as Mermaid sequence diagrams")
    .option("--save <file>", "write the first story to a file that --replay plays")
    .option("--itf <file>", "write the first story, or the replayed one, as a trace in ITF JSON")
    .option("--hazards", "search for the known hazards, by the rules they break, and print a table")
    .option("--replay <file>", "play a saved story again")
    .addHelpText("after", CHECK_HELP)
    .action(async (design: string | undefined, options: CheckOptions) => {
      const { check } = await import("./check.ts");
      finish(await check(design, options, system));
    });
};
