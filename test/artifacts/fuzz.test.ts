import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { readArtifact } from "../../src/artifacts/testing/read-artifact.ts";
import { goThrough, inputOf } from "./fuzz-input.ts";
import { samples } from "./fuzz-samples.ts";

/** `npm run fuzz` is the campaign; this is its first part. */
const RUNS = 3000;
/** Seeds that once showed a fault. */
const KEPT: readonly number[] = JSON.parse(
  readFileSync(new URL("./fuzz-seeds.json", import.meta.url), "utf8"),
);
const SAMPLES = samples();

/** Seeds whose input throws. */
const faults = (seeds: Iterable<number>): string[] => {
  const found: string[] = [];
  for (const seed of seeds) {
    try {
      goThrough(inputOf(SAMPLES, seed), seed);
    } catch (error) {
      found.push(`${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  return found;
};

it("seeds that once showed a fault show none", () => {
  expect(faults(KEPT)).toEqual([]);
});

it(`${RUNS} damaged artifacts are read without an exception, and what is wrong with each has a place`, () => {
  expect(faults(Array.from({ length: RUNS }, (_, n) => n + 1))).toEqual([]);
});

it("dumps of an RMP are among them: some whole, some that contradict themselves", () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= RUNS; seed++) {
    const { sink } = readArtifact(inputOf(SAMPLES, seed), 2 ** 20, true);
    if (sink.facts.some(({ kind }) => kind === "rmp-dump"))
      outcomes.add(sink.troubles[0]?.expected ?? "whole");
  }
  expect([...outcomes]).toEqual(
    expect.arrayContaining(["whole", "no reserved bit set", "a high quadword of 0"]),
  );
});
