import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { FINDING_RULES } from "../../src/artifacts/findings/findings.ts";

it("docs/inspect.md lists every rule", () => {
  const page = readFileSync(new URL("../../docs/inspect.md", import.meta.url), "utf8");
  const listed = page.split("\n").filter((line) => line.startsWith("| `"));
  const rules = FINDING_RULES.map(({ id, severity, what }) => `| \`${id}\` | ${severity} | ${what} |`);
  expect(listed.filter((line) => rules.includes(line))).toEqual(rules);
});
