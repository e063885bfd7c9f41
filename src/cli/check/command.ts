import { type Command, Option } from "commander";
import type { System } from "../system.ts";
import type { CheckOptions } from "./options.ts";

const CHECK_HELP = `
The machine is the program itself, made as small as it gets: a few units of 2 MiB, two vCPUs, one device. Any actor that is
ready may go next; the clocks do not count. Ctrl-C ends the search and prints what is known; with --checkpoint the same
command goes on later, also after the process was killed.

vCPUs whose users do the same are interchangeable: states that differ only in which of them is where count as one, but for
--no-symmetry. Units of memory and DIMM slots are places, one above the other, and always told apart.

Examples:
  tidemark check tide
  tidemark check tide --config three-vcpus --max-states 10000000 --checkpoint three.checkpoint
  tidemark check bitmaps --config sub-blocks,replug --max-states 50000
  tidemark check bitmaps --config replug --search pct --walks 10000
  tidemark check callbacks --config kexec --progress
  tidemark check bitmaps --config grow-shrink --rules I2,I11 --save story.json
  tidemark check --replay story.json
`;

/** What a replay has no use for. */
const SEARCHING = ["hazards", "save", "checkpoint", "exact", "symmetry", "partialOrder", "disjointSteps"];

/** What looking at whole graphs has no use for. */
const OF_SEARCHES = [
  ...["hazards", "checkpoint", "exact", "replay", "rules", "shrink"],
  ...["search", "threads", "maxDepth", "maxMemory", "walks", "steps", "changes", "seed"],
];

export const addCheck = (tidemark: Command, system: System, finish: (status: number) => void): void => {
  const command = tidemark
    .command("check")
    .description("explore every interleaving of small machines, and tell the shortest story of what breaks")
    .argument("[design]", "design that does the guest's part of hotplug")
    .option("--config <names>", "standard configurations, such as replug,dimm; all if absent")
    .option("--rules <ids>", "invariants that count, such as I2,I11; all if absent");
  addSearchOptions(command)
    .addOption(new Option("--json", "print one JSON document").conflicts("mermaid"))
    .option("--mermaid", "tell stories as Mermaid sequence diagrams")
    .option("--save <file>", "write the first story to a file that --replay plays")
    .option("--itf <file>", "write the first story, or the replayed one, as a trace in ITF JSON")
    .option("--hazards", "search for the known hazards, by the rules they break, and print a table")
    .addOption(
      new Option("--progress", "whether all that is begun ends; every step counts, no reduction").conflicts(
        OF_SEARCHES,
      ),
    )
    .addOption(new Option("--replay <file>", "play a saved story again").conflicts(SEARCHING))
    .addHelpText("after", CHECK_HELP)
    .action(async (design: string | undefined, options: CheckOptions) => {
      const { check } = await import("./check.ts");
      finish(await check(design, options, system));
    });
};

const addSearchOptions = (command: Command): Command =>
  command
    .addOption(
      new Option("--search <how>", "breadth first, depth first, random walks, or PCT walks")
        .choices(["breadth", "depth", "walks", "pct"])
        .default("breadth"),
    )
    .option("--threads <n>", "threads of a breadth-first search; as many as there are cores if absent")
    .option("--max-states <n>", "states of a configuration after which its search ends", "200000")
    .option("--max-depth <n>", "length of the longest story that is tried; any if absent")
    .option("--max-memory <MiB>", "memory of a search after which it ends", "1024")
    .option("--exact", "keep whole states instead of 64 bits of each; one thread, much memory")
    .option("--no-symmetry", "tell vCPUs apart whose users do the same; units and DIMM slots always are")
    .option("--no-partial-order", "count steps apart that nobody else can tell of; with --max-depth it is so")
    .option(
      "--disjoint-steps",
      "pass over more: steps on what nobody else comes to meanwhile; fewest states, one thread, more time a state",
    )
    .option("--seed <n>", "seed of the hash, or of the first walk", "0")
    .option("--walks <n>", "walks and pct: walks of a configuration", "1000")
    .option("--steps <n>", "walks and pct: steps after which a walk ends", "2000")
    .option("--changes <n>", "pct: changes of priority in a walk", "2")
    .option("--shrink", "make stories smaller: fewest steps, then switches of actor, then machines")
    .option("--checkpoint <file>", "keep what is known in a file, and go on from one that is there")
    .option("--checkpoint-every <s>", "seconds between two checkpoints", "30");
