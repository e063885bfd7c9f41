import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { EFI_TYPES } from "../../src/abi/efi/memory-map-lines.ts";
import { ArtifactReading } from "../../src/artifacts/artifact-reading.ts";
import { FactSink } from "../../src/artifacts/fact-sink.ts";
import type { Fact } from "../../src/artifacts/facts.ts";
import { findings } from "../../src/artifacts/findings/findings.ts";
import { survey } from "../../src/artifacts/map/survey.ts";
import { rangeText } from "../../src/artifacts/map/words.ts";

/** What a careful reader would take from one artifact, short enough to be checked by eye. */
export interface Summary {
  readonly kinds: readonly string[];
  /** Things that come by the hundred: how many, and how many bytes in all. */
  readonly sums: Readonly<Record<string, readonly [count: number, bytes: number]>>;
  /** Everything else, with its line. */
  readonly said: readonly string[];
  readonly troubles: readonly string[];
  readonly findings: readonly string[];
}

/** Reads bytes as the command reads a file. */
export const readBytes = (
  name: string,
  bytes: Uint8Array,
  piece = bytes.length,
): FactSink & { kinds: readonly string[] } => {
  const sink = new FactSink();
  const text = new TextDecoder();
  const reading = new ArtifactReading(name, sink, {
    size: bytes.length,
    decode: (part, last) => text.decode(part, { stream: !last }),
    readAt: (offset, length) => bytes.subarray(offset, offset + length),
  });
  for (let at = 0; at < bytes.length; at += piece) reading.push(bytes.subarray(at, at + piece));
  const { kinds } = reading.end();
  return Object.assign(sink, { kinds });
};

const bootOf = ({ boot }: Fact): string => (boot > 1 ? ` (boot ${boot})` : "");

/** The heading under which a fact is summed up; undefined for one that is told by itself. */
const heading = (fact: Fact): string | undefined => {
  switch (fact.kind) {
    case "e820":
      return `e820 ${fact.said}${bootOf(fact)}`;
    case "efi":
      return `efi ${fact.map} ${EFI_TYPES[fact.type] ?? fact.type}`;
    case "srat-cpu":
      return `cpus of PXM ${fact.proximity}${bootOf(fact)}`;
    case "node-range":
      return `RAM of node ${fact.node}${bootOf(fact)}`;
    case "iomem":
      return `iomem ${/^System RAM/.test(fact.name) ? fact.name : "other"}`;
    case "memory-block":
      return `blocks ${fact.state} ${fact.zones ?? ""}`.trim();
    case "meminfo":
      return `meminfo${fact.node === undefined ? "" : ` of node ${fact.node}`}`;
    default:
      return undefined;
  }
};

const detail = (fact: Fact): string => {
  const { kind, at: _at, boot: _boot, time: _time, ...rest } = fact;
  if (kind === "acpi-table") return fact.signature;
  const range = "start" in rest && "end" in rest ? `${rangeText(rest)} ` : "";
  const fields = Object.entries(rest).filter(
    ([name, value]) => name !== "kind" && name !== "start" && name !== "end" && value !== undefined,
  );
  const shown = fields.map(([name, value]) => {
    const text = typeof value === "bigint" ? `0x${value.toString(16)}` : JSON.stringify(value);
    return `${name} ${text.length > 100 ? `${text.slice(0, 100)}...` : text}`;
  });
  return `${range}${shown.join(", ")}`.trim();
};

export const summarise = (path: string): Summary => {
  const sink = readBytes(basename(path), Uint8Array.from(readFileSync(path)));
  const sums: Record<string, [number, number]> = {};
  const said: string[] = [];
  for (const fact of sink.facts) {
    const under = heading(fact);
    if (under === undefined) {
      said.push(`${fact.at.line ?? 0}${bootOf(fact)} ${fact.kind} ${detail(fact)}`.trim());
      continue;
    }
    const bytes = "start" in fact ? fact.end - fact.start : 0;
    const sum = (sums[under] ??= [0, 0]);
    sum[0]++;
    sum[1] += bytes;
  }
  return {
    kinds: sink.kinds,
    sums,
    said,
    troubles: sink.troubles.map(
      ({ severity, at, expected, found }) => `${severity} ${at.line ?? at.offset}: ${expected} | ${found}`,
    ),
    findings: findings(survey(sink.facts)).map(
      ({ severity, id, range }) => `${severity} ${id}${range === undefined ? "" : ` ${rangeText(range)}`}`,
    ),
  };
};
