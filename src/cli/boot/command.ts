import { type Command, Option } from "commander";
import { addLinuxOptions } from "../linux-options.ts";
import type { System } from "../system.ts";
import type { StartGuest } from "./booted-guest.ts";
import type { BootOptions } from "./options.ts";

const HELP = `
On a terminal the guest's console is yours, with a shell on it: Ctrl-A x ends the guest, Ctrl-A m shows its memory map,
Ctrl-A h lists the keys. Otherwise the console is printed until the guest powers off or, with --exit-when-ready, has
come up; with --json it goes to standard error.

Examples:
  tidemark boot
  tidemark boot --memory 8G --accept eager --exit-when-ready --map
  tidemark boot --kernel arch/x86/boot/bzImage --append 'memblock=debug' --json 2>console.log
`;

/** Adds `tidemark boot`. */
export const addBoot = (
  tidemark: Command,
  system: System,
  start: StartGuest,
  finish: (status: number) => void,
): void => {
  const command = tidemark
    .command("boot")
    .description("boot a real kernel as a TD, with its console on this terminal")
    .option(
      "--line <series>",
      "kernel to find if none is named: 6.12, another series, or newest (default 6.12)",
    )
    .option("--memory <size>", "RAM (default 4G)")
    .option("--vcpus <n>", "virtual CPUs (default 1)")
    .option("--maxmem <size>", "limit of all memory, to leave room for memory devices")
    .option("--slots <n>", "slots for DIMMs")
    .addOption(
      new Option("--unaccepted <which>", "RAM that firmware leaves unaccepted (default above-4g)").choices([
        "above-4g",
        "all",
        "none",
      ]),
    )
    .addOption(
      new Option("--accept <when>", "when the kernel accepts it (default lazy)").choices(["lazy", "eager"]),
    )
    .option("--design <name>", "design that does the guest's part of hotplug (default none)");
  addLinuxOptions(command)
    .option("--map", "print the memory map at the end")
    .option("--exit-when-ready", "end the guest once it has come up")
    .option("--json", "print one JSON document at the end (docs/schema/boot-report.schema.json)")
    .addHelpText("after", HELP)
    .action(async (options: BootOptions) => {
      const { boot } = await import("./boot.ts");
      finish(await boot(options, system, start));
    });
};

/** The real thing, loaded when it is used. */
export const startGuest: StartGuest = async (order) => {
  const { startInLab } = await import("./boot-guest.ts");
  return startInLab(order);
};
