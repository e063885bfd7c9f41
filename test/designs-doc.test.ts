import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { DESIGNS as NAMED_IN_CLI } from "../src/cli/worlds.ts";
import { DESIGN_NAMES } from "../src/designs/designs.ts";
import { bundledScenarios } from "./model-machine.ts";

const doc = readFileSync(join(resolve(import.meta.dirname, ".."), "docs", "designs.md"), "utf8");
const headings = [...doc.matchAll(/^## (.*)$/gm)].flatMap(([, text = ""]) => text.split(", "));

it("the command knows the designs that there are, in the same order", () => {
  expect(NAMED_IN_CLI).toEqual(DESIGN_NAMES);
});

it("the documentation has a page for each design", () => {
  expect(DESIGN_NAMES.filter((name) => !headings.includes(name))).toEqual([]);
});

it("the scenarios that the documentation names are there", () => {
  const inBackticks = [...doc.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);
  // A scenario's name begins with a design's or stands in a command.
  const names = inBackticks.flatMap((text) => {
    const command = /^tidemark (?:run|compare) (\S+)/.exec(text)?.[1];
    if (command !== undefined && command !== "SCENARIO") return [command];
    const isNamedAfterOne = DESIGN_NAMES.some((design) => text.startsWith(`${design}-`));
    return isNamedAfterOne && !DESIGN_NAMES.includes(text) ? [text] : [];
  });
  expect(names.length).toBeGreaterThan(12);
  expect(names.filter((name) => !bundledScenarios().includes(name))).toEqual([]);
});
