import type { SourceReading } from "../../artifacts/artifact-reading.ts";
import type { FactSink } from "../../artifacts/fact-sink.ts";
import type { Fact, Range, Trouble } from "../../artifacts/facts.ts";
import type { Finding } from "../../artifacts/findings/finding.ts";
import { findings } from "../../artifacts/findings/findings.ts";
import type { Boot } from "../../artifacts/map/boots.ts";
import type { SurveyedDevice } from "../../artifacts/map/devices.ts";
import { type Layer, layersOf } from "../../artifacts/map/layers.ts";
import { type Survey, survey } from "../../artifacts/map/survey.ts";
import { VERSION } from "../version.ts";

/** Everything one inspection showed. This is the document that `inspect --json` prints. */
export interface InspectReport {
  readonly format: "tidemark-inspect";
  readonly formatVersion: 1;
  readonly tidemark: string;
  readonly sources: readonly SourceReading[];
  readonly troubles: readonly Trouble[];
  /** Facts and troubles that were too many to keep; 0 as a rule. */
  readonly leftOut: { readonly facts: number; readonly troubles: number };
  readonly machine: {
    readonly kernel: string | null;
    readonly commandLine: string | null;
    readonly dmi: string | null;
    readonly roles: readonly string[];
    readonly boots: readonly Boot[];
    readonly ram: readonly Range[];
    readonly ramSource: string | null;
    readonly blockBytes: number | null;
    readonly devices: readonly SurveyedDevice[];
  };
  readonly map: readonly Layer[];
  readonly findings: readonly Finding[];
  readonly facts: readonly Fact[];
}

/** Puts what was read on one map and judges it. */
export const inspectReport = (
  sink: FactSink,
  sources: readonly SourceReading[],
): { readonly report: InspectReport; readonly survey: Survey } => {
  const read = survey(sink.facts);
  const { of, shown, roles, boots, ram, ramSource, blockBytes, devices } = read;
  const report: InspectReport = {
    format: "tidemark-inspect",
    formatVersion: 1,
    tidemark: VERSION,
    sources,
    troubles: sink.troubles,
    leftOut: { facts: sink.factsLeftOut, troubles: sink.troublesLeftOut },
    machine: {
      kernel: shown?.kernel ?? null,
      commandLine: shown?.commandLine ?? null,
      dmi: of("dmi").at(-1)?.text ?? null,
      roles: [...roles],
      boots,
      ram,
      ramSource: ramSource ?? null,
      blockBytes: blockBytes ?? null,
      devices,
    },
    map: layersOf(read),
    findings: findings(read),
    facts: sink.facts,
  };
  return { report, survey: read };
};

/** The document as text. Numbers that JSON cannot hold exactly are hexadecimal text. */
export const inspectJson = (report: InspectReport): string =>
  `${JSON.stringify(report, (_name, value: unknown) => (typeof value === "bigint" ? `0x${value.toString(16)}` : value), 2)}\n`;
