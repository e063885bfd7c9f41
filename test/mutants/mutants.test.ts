import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { EQUIVALENT_MUTANTS } from "./equivalent-mutants.ts";
import { type Attempt, MutantError, mutated } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { bundled, judged, thrownAway } from "./program.ts";
import { equivalentTable } from "./tables.ts";

const ROOT = resolve(import.meta.dirname, "../..");

const sourceOf = (file: string): string => readFileSync(join(ROOT, "src", file), "utf8");

describe("the table of mutants", () => {
  it.each(MUTANTS)("the text of $name occurs once in $file", (mutant) => {
    const source = sourceOf(mutant.file);
    expect(mutated(source, mutant)).not.toBe(source);
  });
  it("has no two of one name, and no mutant that nothing is expected to find", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(MUTANTS.filter(({ attempts }) => attempts.length === 0)).toEqual([]);
  });
  it.each(["linux", "designs", "tdx-module", "vmm"])("has ten mutants or more of %s", (folder) => {
    expect(MUTANTS.filter(({ file }) => file.startsWith(`${folder}/`)).length).toBeGreaterThanOrEqual(10);
  });
  it("expects at least 30 to be found by a search", () => {
    expect(MUTANTS.filter(({ attempts }) => "config" in attempts[0]!).length).toBeGreaterThanOrEqual(30);
  });
  it("refuses a text that is missing, or that occurs twice", () => {
    const mutant = { ...MUTANTS[0]!, from: "a = b;" };
    expect(() => mutated("c = d;", mutant)).toThrow(MutantError);
    expect(() => mutated("a = b; a = b;", mutant)).toThrow("expected its text once, found it 2 times");
    expect(mutated("a = b;", { ...mutant, to: "$&" })).toBe("$&");
  });
});

describe("the table of equivalent mutants", () => {
  it.each(EQUIVALENT_MUTANTS)(
    "the text of $name, and the line that makes up for it, occur once",
    (mutant) => {
      const { file, by } = mutant;
      expect(mutated(sourceOf(file), mutant)).not.toBe(sourceOf(file));
      expect(sourceOf(by[0]).split(by[1])).toHaveLength(2);
    },
  );
  it("is in docs/mutants.md as it is here", () => {
    const document = readFileSync(join(ROOT, "docs/mutants.md"), "utf8");
    expect(document).toContain(equivalentTable(EQUIVALENT_MUTANTS));
  });
});

/** Runs the program, with a mutant in it or as it is, over attempts. */
const run = async (attempts: readonly Attempt[], name?: string) => {
  const mutant = MUTANTS.find((one) => one.name === name);
  const file = await bundled(ROOT, mutant);
  try {
    return await judged(file, attempts);
  } finally {
    thrownAway(file);
  }
};

/** Those that break early: the whole table is for `npm run mutants`. */
const SAMPLE = [
  ...["chunk-free-before-accept", "plugged-one-unit-more", "accept-leaves-pending"],
  // Nothing that it breaks is wrong at any step: what was asked for never comes about.
  "eject-keeps-dimm",
];

describe("a search", { timeout: 600_000 }, () => {
  it.each(SAMPLE)("finds %s", async (name) => {
    const { attempts } = MUTANTS.find((one) => one.name === name)!;
    expect((await run(attempts, name)).at(-1)).toMatchObject({ found: true });
  });
  it("finds nothing at the same places in the program as it is", async () => {
    const attempts = MUTANTS.filter(({ name }) => SAMPLE.some((one) => one === name)).flatMap(
      (mutant) => mutant.attempts,
    );
    expect((await run(attempts)).map(({ found }) => found)).toEqual(attempts.map(() => false));
  });
});
