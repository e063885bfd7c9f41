import type { Command } from "commander";
import { UsageError } from "../exit-status.ts";
import type { System } from "../system.ts";
import type { InspectOptions } from "./inspect.ts";

const HELP = `
Exit status is 1 if a table is damaged or a finding is an error, 2 if a file is nothing known.

Examples:
  dmesg | tidemark inspect -
  tidemark inspect dmesg.txt SRAT.dat iomem.txt
  tidemark inspect sosreport-host.tar.gz --json
`;

/** Adds `tidemark inspect`. */
export const addInspect = (tidemark: Command, system: System, finish: (status: number) => void): void => {
  tidemark
    .command("inspect")
    .description("decode and judge what real machines say of their memory")
    .argument("[file...]", "logs, ACPI tables, files of /proc and /sys, transcripts; folders, archives, -")
    .option("--json", "print one JSON document (docs/schema/inspect-report.schema.json)")
    .option("--lsmem", "print lsmem's columns, and PLUGGED, UNACCEPTED, PRIVATE")
    .option("--fields", "print every field of every ACPI table, as iasl -d lists them")
    .option("--scenario <file>", "write the scenario of that machine, for tidemark run")
    .option(
      "--rmp <file>",
      "a dump of an SEV-SNP host's RMP, where its content does not tell",
      (file, all: string[]) => [...all, file],
      [],
    )
    .addHelpText("after", HELP)
    .action(async (files: string[], options: InspectOptions) => {
      if (files.length === 0 && options.rmp?.length === 0)
        throw new UsageError("inspect: expected a file, found none; see tidemark inspect --help");
      const { inspect } = await import("./inspect.ts");
      finish(await inspect(files, options, system));
    });
};
