import { Command, CommanderError, Option } from "commander";
import { LabError } from "../lab/lab-error.ts";
import { oneLine } from "../scenario/scenario-error.ts";
import type { StartGuest } from "./boot/booted-guest.ts";
import { addBoot, startGuest } from "./boot/command.ts";
import { addCampaign } from "./campaign/command.ts";
import { addCheck } from "./check/command.ts";
import type { CompareOptions } from "./compare.ts";
import { EXIT } from "./exit-status.ts";
import { addInspect } from "./inspect/command.ts";
import { addLinuxOptions } from "./linux-options.ts";
import { addPlan } from "./plan/command.ts";
import type { RunOptions } from "./run/run.ts";
import type { System } from "./system.ts";
import { VERSION } from "./version.ts";
import { type OpenWorld, openWorld, PLAYGROUNDS } from "./worlds.ts";

/** Errors whose message is all a user needs, by class name: their modules load only when they are used. */
const STATUS_OF: { readonly [name: string]: number } = {
  ScenarioError: EXIT.input,
  UsageError: EXIT.input,
  StoryFileError: EXIT.input,
  CheckpointError: EXIT.input,
  WorldUnavailable: EXIT.world,
  KernelFileError: EXIT.input,
  LayoutError: EXIT.world,
  TdEnded: EXIT.world,
};

/** The exit status of an error that needs no more than its message; undefined for a defect of ours. */
const statusOf = (error: unknown): number | undefined => {
  if (error instanceof LabError) return EXIT.world;
  return error instanceof Error ? STATUS_OF[error.name] : undefined;
};

/**
 * Runs one command.
 *
 * @param args the arguments behind the program's name
 * @returns the exit status; every error was told on standard error, on one line
 */
export const main = async (
  args: readonly string[],
  system: System,
  world: OpenWorld = openWorld,
  guest: StartGuest = startGuest,
): Promise<number> => {
  let status: number = EXIT.held;
  const finish = (code: number): void => {
    status = code;
  };
  try {
    await program(system, world, guest, finish).parseAsync([...args], { from: "user" });
    return status;
  } catch (error) {
    return tell(error, system);
  }
};

const program = (
  system: System,
  world: OpenWorld,
  guest: StartGuest,
  finish: (status: number) => void,
): Command => {
  const tidemark = new Command("tidemark")
    .description("Runs the memory of a confidential VM on any machine, bit by bit.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        system.stdout.write(text);
      },
      writeErr: (text) => {
        system.stderr.write(text);
      },
      // Errors are told once, on one line, by `tell`.
      outputError: () => {},
      getOutHelpWidth: () => Math.max(40, system.stdout.columns ?? 80),
    })
    .addHelpText("after", EXIT_HELP);
  addRun(tidemark, system, world, finish);
  addCompare(tidemark, system, world, finish);
  addCheck(tidemark, system, finish);
  addCampaign(tidemark, system, finish);
  addInspect(tidemark, system, finish);
  addPlan(tidemark, system, finish);
  addBoot(tidemark, system, guest, finish);
  return tidemark;
};

const EXIT_HELP = `
Exit status:
  0  all held
  1  a violation or a failed expectation, which is named
  2  the input was wrong
  3  the world could not be run
`;

const RUN_HELP = `
Examples:
  tidemark run scenarios/dimm-replug.yaml
  tidemark run boot-lazy-4g --set machine.memory=8G --json
  tidemark run worked-example --design bitmaps --html report.html
  tidemark run boot-lazy-4g --world linux --kernel arch/x86/boot/bzImage
  tidemark run linux/dimm-replug --world both
`;

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

const addRun = (
  tidemark: Command,
  system: System,
  world: OpenWorld,
  finish: (status: number) => void,
): void => {
  addLinuxOptions(
    tidemark
      .command("run")
      .description("play a scenario and show what happened")
      .argument(
        "<file>",
        "scenario file (YAML), - for standard input, the name of a bundled one, or a story of check --save",
      )
      .addOption(new Option("--world <name>", "where to play it").choices(PLAYGROUNDS).default("model"))
      .option("--design <name>", "design that does the guest's part of hotplug")
      .option("--platform <name>", "what makes the VM confidential: tdx or snp")
      .option("--seed <n>", "seed of every choice that real machines leave open")
      .option("--set <path=value>", "override a field, such as machine.memory=8G (repeatable)", collect)
      .option("--json", "print one JSON document (docs/schema/run-report.schema.json, lockstep.schema.json)")
      .option("--all-differences", "both: show all differences, not only the first")
      .option("--trace <file>", "write every step as a line of JSON")
      .option("--html <file>", "write a page with maps, timeline and curves"),
  )
    .addHelpText("after", RUN_HELP)
    .action(async (file: string, options: RunOptions) => {
      const { run } = await import("./run/run.ts");
      finish(await run(file, options, system, world));
    });
};

const COMPARE_HELP = `
Exit status is 0 once all designs were played: their verdicts are the result. With --require it is 1 unless each design
named there held.

Examples:
  tidemark compare virtio-mem-replug
  tidemark compare worked-example --designs none,bitmaps --markdown
  tidemark compare dimm-replug --set vmm.discard=both --require bitmaps
`;

const addCompare = (
  tidemark: Command,
  system: System,
  world: OpenWorld,
  finish: (status: number) => void,
): void => {
  tidemark
    .command("compare")
    .description("play a scenario with each design and show them side by side")
    .argument("<file>", "scenario file (YAML), - for standard input, or the name of a bundled one")
    .option("--designs <names>", "designs to compare, such as none,bitmaps; all if absent")
    .option("--require <names>", "designs that must hold")
    .option("--platform <names>", "platforms to compare, such as tdx,snp; the scenario's own if absent")
    .option("--seed <n>", "seed of every choice that real machines leave open")
    .option("--set <path=value>", "override a field, such as machine.memory=8G (repeatable)", collect)
    .addOption(
      new Option("--json", "print one JSON document (docs/schema/comparison.schema.json)").conflicts(
        "markdown",
      ),
    )
    .option("--markdown", "print tables for a mail or an issue")
    .addHelpText("after", COMPARE_HELP)
    .action(async (file: string, options: CompareOptions) => {
      const { compare } = await import("./compare.ts");
      finish(await compare(file, options, system, world));
    });
};

/** Commander's own words, as one line that ends with what to do. */
const usageLine = (error: CommanderError): string => {
  const said = error.message
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ")
    .trim()
    .replace(/\.$/, "");
  return `tidemark: ${said}; see tidemark --help`;
};

const tell = (error: unknown, system: System): number => {
  const say = (line: string): void => {
    system.stderr.write(`${line}\n`);
  };
  if (error instanceof CommanderError) {
    // Help that was asked for is no error; help shown for want of a command is.
    if (error.exitCode === 0) return EXIT.held;
    if (error.code !== "commander.help") say(usageLine(error));
    return EXIT.input;
  }
  const known = statusOf(error);
  if (known !== undefined && error instanceof Error) say(oneLine(error.message));
  else say(defectLine(error));
  const { TIDEMARK_DEBUG } = system.env;
  if (TIDEMARK_DEBUG === "1" && error instanceof Error) say(details(error));
  return known ?? EXIT.defect;
};

const defectLine = (error: unknown): string => {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const line = said.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
  return `tidemark: internal error (${line}); please report it with the scenario (TIDEMARK_DEBUG=1 shows where)`;
};

const details = (error: Error): string => {
  const cause = error.cause instanceof Error ? `\ncaused by ${details(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
};
