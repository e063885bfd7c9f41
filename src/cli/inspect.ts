import { FactSink } from "../artifacts/fact-sink.ts";
import { describe, oneLine } from "../scenario/scenario-error.ts";
import { EXIT } from "./exit-status.ts";
import { ArtifactFiles } from "./inspect-files.ts";
import { type InspectReport, inspectJson, inspectReport } from "./inspect-report.ts";
import { renderInspection } from "./inspect-view.ts";
import { screenOf } from "./screen.ts";
import type { System } from "./system.ts";

export interface InspectOptions {
  readonly json?: boolean;
  readonly lsmem?: boolean;
  readonly scenario?: string;
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
  const { report } = inspectReport(sink, artifacts.sources);
  const shown =
    options.json === true ? inspectJson(report) : renderInspection(report, screenOf(system.stdout, system));
  system.stdout.write(shown);
  return statusOf(report, system);
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
