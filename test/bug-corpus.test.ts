import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { bundledScenarios, loadBundled, playInModel } from "./model-machine.ts";
import { PLAYED_BUGS, PLAYED_HAZARDS, withoutExpectations } from "./mutants/bug-corpus.ts";

const CORPUS = bundledScenarios().filter((name) => name.startsWith("bugs/"));

// That each scenario shows its bug is played with all bundled ones. Here: the same steps without it.
const ROWS = [...PLAYED_BUGS, ...PLAYED_HAZARDS].map(({ fixed }) => fixed);

describe("without its bug the scenario runs to its end", () => {
  it.each(ROWS)("$scenario with $set", async ({ scenario, set, holds = "", known = [] }) => {
    const played = await playInModel(withoutExpectations(loadBundled(scenario, set), holds));
    const { violations, expectations } = played.report;
    expect({
      broken: [...new Set(violations.map(({ invariant }) => invariant))].filter((id) => !known.includes(id)),
      unmet: expectations.filter(({ held }) => !held).map(({ what, found }) => `${what}: ${found}`),
    }).toEqual({ broken: [], unmet: [] });
  });
});

describe("docs/bugs.md", () => {
  const text = readFileSync(join(resolve(import.meta.dirname, ".."), "docs", "bugs.md"), "utf8");

  it("names every scenario of the corpus", () => {
    const names = CORPUS.map((name) => name.slice("bugs/".length));
    expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
  it("speaks of every bug, shown or not", () => {
    const ids = Array.from({ length: 36 }, (_, n) => `B${n + 1}`);
    const reports = Array.from({ length: 18 }, (_, n) => `P${n + 1}`);
    expect([...ids, ...reports].filter((id) => !new RegExp(`^\\| ${id} \\|`, "m").test(text))).toEqual([]);
  });
  it("names a scenario or says why there is none, bug by bug", () => {
    const rows = [...text.matchAll(/^\| ([BP]\d+) \| [^|]+ \| ([^|]+) \|/gm)];
    expect(rows.length).toBe(36 + 18);
    const names = bundledScenarios().map((name) => name.slice(name.lastIndexOf("/") + 1));
    const bare = rows.filter(
      ([, , place = ""]) => !place.startsWith("none: ") && !names.some((name) => place.includes(name)),
    );
    expect(bare.map(([, id]) => id)).toEqual([]);
  });
  it("names only scenarios that there are", () => {
    const named = [...text.matchAll(/`((?:B|P)\d\d-[a-z0-9-]+)`/g)].map(([, name]) => `bugs/${name}`);
    expect(named.filter((name) => !CORPUS.includes(name))).toEqual([]);
  });
});
