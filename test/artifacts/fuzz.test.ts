import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { findings } from "../../src/artifacts/findings/findings.ts";
import { layersOf, stretchesOf } from "../../src/artifacts/map/layers.ts";
import { lsmemRows } from "../../src/artifacts/map/lsmem-rows.ts";
import { survey } from "../../src/artifacts/map/survey.ts";
import { mutated } from "../../src/artifacts/testing/mutations.ts";
import { readArtifact } from "../../src/artifacts/testing/read-artifact.ts";
import { ownData, sharedFiles } from "../shared-data.ts";

/** How many inputs, and the first seed: TIDEMARK_FUZZ_RUNS=10000000 TIDEMARK_FUZZ_SEED=1 is a campaign. */
const { TIDEMARK_FUZZ_RUNS = "3000", TIDEMARK_FUZZ_SEED = "1" } = process.env;
const RUNS = Number(TIDEMARK_FUZZ_RUNS);
const SEED = Number(TIDEMARK_FUZZ_SEED);
/** Seeds that once showed a fault. */
const KEPT: readonly number[] = JSON.parse(
  readFileSync(new URL("./fuzz-seeds.json", import.meta.url), "utf8"),
);
/** Milliseconds of the processor that one input of 3 KB may take in a campaign. */
const SLOW = 50;

const SAMPLES = [
  ownData("acpi", "rec-pcdimm-2node.SRAT.dat"),
  ownData("acpi", "rec-pcdimm-2node.APIC.dat"),
  ...["acpi", "logs", "proc", "qmp"].flatMap((folder) => sharedFiles(folder, /./)),
].map((path) => Uint8Array.from(readFileSync(path)));

const goThrough = (seed: number): void => {
  const input = mutated(SAMPLES, seed);
  const { sink, source } = readArtifact(input, 1 + (seed % 997));
  for (const { at } of sink.troubles)
    if (at.line === undefined && at.offset === undefined) throw new Error("a trouble without a place");
  if (source.kinds.length === 0 && source.not.length === 0) throw new Error("no kind, and no reason");
  const read = survey(sink.facts);
  findings(read);
  stretchesOf(layersOf(read));
  lsmemRows(read);
};

/** Milliseconds of the processor. */
const cost = (seed: number): number => {
  const before = process.cpuUsage();
  goThrough(seed);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

/** By the clock at first, which costs nothing; a busy machine makes that large, so then by the processor. */
const isSlow = (seed: number): boolean => {
  const at = performance.now();
  goThrough(seed);
  return performance.now() - at > SLOW && cost(seed) > SLOW && cost(seed) > SLOW;
};

/** Seeds whose input throws, or is slow each of three times. */
const faults = (seeds: Iterable<number>, isTimed: boolean): string[] => {
  const found: string[] = [];
  for (const seed of seeds) {
    try {
      if (!isTimed) goThrough(seed);
      else if (isSlow(seed)) found.push(`${seed}: slow`);
    } catch (error) {
      found.push(`${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    if (found.length === 10) break;
  }
  return found;
};

function* counting(first: number, count: number): Generator<number> {
  for (let seed = first; seed < first + count; seed++) yield seed;
}

it("seeds that once showed a fault show none", () => {
  expect(faults(KEPT, false)).toEqual([]);
});

it(
  `${RUNS} damaged artifacts from seed ${SEED} on are read without an exception`,
  () => {
    expect(faults(counting(SEED, RUNS), RUNS > 100_000)).toEqual([]);
  },
  24 * 3600 * 1000,
);
