import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { COVERAGE_PATH, coverageDocument } from "../scripts/coverage.mjs";
import { folderOf, importsNoTest, keepsToItsLayer, LAYERS } from "./tidy/layers.ts";
import { hasNoNotes, printsNothing, runsEveryTest, trustsTheCompiler } from "./tidy/leftovers.ts";
import { hasTellingName, importsExist } from "./tidy/names.ts";
import { namesNoMachinePath, namesNoRegistry } from "./tidy/places.ts";
import { isPure } from "./tidy/purity.ts";
import { ROOT, repositoryFiles } from "./tidy/repository.ts";
import { hasShortFunctions, isShort } from "./tidy/size.ts";
import { importsOf, isModelSource, isTest, type Rule } from "./tidy/source-file.ts";

const files = repositoryFiles();
const paths = new Set(files.map(({ path }) => path));

const RULES: Readonly<Record<string, Rule>> = {
  "a folder of src/ imports only the layers below it": keepsToItsLayer,
  "the program imports nothing made for tests": importsNoTest,
  "pure folders have no IO, no clock, no chance and no packages": isPure,
  "nothing is left for later": hasNoNotes,
  "every test runs": runsEveryTest,
  "no type is thrown away and no compiler silenced": trustsTheCompiler,
  "src/ prints nothing by itself": printsNothing,
  "a file of src/ has 300 lines at most": isShort,
  "a function of src/ has 40 lines at most": hasShortFunctions,
  "no file names a path of one machine": namesNoMachinePath,
  "no file names a package registry": namesNoRegistry,
  "a relative import names a file that exists, with its ending": importsExist((path) => paths.has(path)),
  "file names say what is inside": hasTellingName,
};

it.each(Object.entries(RULES))("%s", (_name, rule) => {
  const found = files.flatMap(rule);
  expect(found, `\n${found.join("\n")}\n`).toEqual([]);
});

it("the rules saw the repository, not an empty folder", () => {
  const sources = files.filter(({ path }) => isModelSource(path));
  expect(sources.length).toBeGreaterThan(100);
  expect(files.filter(({ path }) => isTest(path)).length).toBeGreaterThan(20);
  expect(sources.flatMap(({ text }) => importsOf(text)).length).toBeGreaterThan(sources.length);
  const folders = new Set(sources.map(({ path }) => folderOf(path)));
  expect(LAYERS.flat().filter((folder) => folders.has(folder)).length).toBeGreaterThan(7);
  for (const path of ["package.json", "package-lock.json", ".ci/run", "bin/tidemark.mjs"]) {
    expect(paths).toContain(path);
  }
});

it("docs/coverage.md lists what the sources say is not modelled (npm run coverage-doc)", () => {
  const sources = files.filter(({ path }) => /^src\/.*\.ts$/.test(path) && !/\.(test|d)\.ts$/.test(path));
  const document = coverageDocument(sources.map(({ path, text }) => [path, text] as const));
  expect(readFileSync(join(ROOT, COVERAGE_PATH), "utf8")).toBe(document);
});
