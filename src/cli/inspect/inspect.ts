import { FactSink } from "../../artifacts/fact-sink.ts";
import type { Survey } from "../../artifacts/map/survey.ts";
import { describe, oneLine } from "../../scenario/scenario-error.ts";
import { EXIT, UsageError } from "../exit-status.ts";
import { screenOf } from "../screen.ts";
import type { System } from "../system.ts";
import { renderFields } from "./fields.ts";
import { ArtifactFiles } from "./files.ts";
import { renderLsmem } from "./lsmem.ts";
import { type InspectReport, inspectJson, inspectReport } from "./report.ts";
import { scenarioText } from "./scenario.ts";
import { renderInspection } from "./view.ts";

export interface InspectOptions {
  readonly json?: boolean;
  readonly lsmem?: boolean;
  readonly fields?: boolean;
  readonly scenario?: string;
  readonly rmp?: readonly string[];
}

/**
 * `tidemark inspect FILE...`: decodes and judges what real machines print.
 *
 * @returns the exit status
 * @throws UsageError for a file that cannot be read
 */
export const inspect = async (
  files: readonly string[],
  options: InspectOptions,
  system: System,
): Promise<number> => {
  const sink = new FactSink();
  const artifacts = new ArtifactFiles(sink);
  for (const file of files) await artifacts.read(file);
  for (const dump of options.rmp ?? []) await artifacts.readRmp(dump);
  const { report, survey } = inspectReport(sink, artifacts.sources);
  if (options.scenario !== undefined) writeScenario(survey, files, options.scenario, system);
  const shown =
    options.lsmem === true
      ? (renderLsmem(survey) ?? missing(files, "memory blocks for --lsmem", LSMEM_ADVICE))
      : options.fields === true
        ? (renderFields(survey) ??
          missing(files, "ACPI tables for --fields", "give them as bytes or as acpidump"))
        : undefined;
  if (shown !== undefined) system.stdout.write(shown);
  else if (options.json === true) system.stdout.write(inspectJson(report));
  else system.stdout.write(renderInspection(report, screenOf(system.stdout, system)));
  return statusOf(report, system);
};

const LSMEM_ADVICE = "give /sys/devices/system/memory or an lsmem";

const missing = (files: readonly string[], what: string, advice: string): never => {
  throw new UsageError(oneLine(`${describe(files.join(" "))}: expected ${what}, found none; ${advice}`));
};

const writeScenario = (survey: Survey, files: readonly string[], out: string, system: System): void => {
  const made = scenarioText(survey, files, out);
  if ("refused" in made) throw new UsageError(oneLine(`--scenario ${out}: expected ${made.refused}`));
  try {
    system.writeText(out, made.text);
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error));
    const said = `--scenario ${out}: expected a file that can be written, found one that cannot (${message})`;
    throw new UsageError(oneLine(said), { cause: error });
  }
};

const statusOf = ({ sources, troubles, findings }: InspectReport, system: System): number => {
  const unknown = sources.find(({ kinds }) => kinds.length === 0);
  if (unknown !== undefined) {
    const tried = unknown.not.map(({ kind }) => kind).join(", ");
    const said = `${describe(unknown.name)}: expected an artifact of memory, found nothing known (tried: ${tried})`;
    system.stderr.write(`${oneLine(said)}\n`);
    return EXIT.input;
  }
  const broken = [...troubles, ...findings].some(({ severity }) => severity === "error");
  return broken ? EXIT.broken : EXIT.held;
};
