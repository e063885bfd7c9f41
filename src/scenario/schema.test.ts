import { expect, it } from "vitest";
import { comparisonJsonSchema } from "./design-comparison-schema.ts";
import { lockstepJsonSchema } from "./lockstep/lockstep-schema.ts";
import { reportJsonSchema, reportSchema } from "./report-schema.ts";
import { scenarioJsonSchema } from "./schema/scenario-schema.ts";
import { MACHINE, playText } from "./testing/play-text.ts";

const print = (schema: object): string => `${JSON.stringify(schema, null, 2)}\n`;

// `npx vitest run -u` writes both files anew after a change of the schemas.
it("the published schema of the scenario file is current", async () => {
  await expect(print(scenarioJsonSchema())).toMatchFileSnapshot("../../docs/schema/scenario.schema.json");
});

it("the published schema of the run report is current", async () => {
  await expect(print(reportJsonSchema())).toMatchFileSnapshot("../../docs/schema/run-report.schema.json");
});

it("the published schema of the comparison is current", async () => {
  await expect(print(comparisonJsonSchema())).toMatchFileSnapshot("../../docs/schema/comparison.schema.json");
});

it("the published schema of the lockstep report is current", async () => {
  await expect(print(lockstepJsonSchema())).toMatchFileSnapshot("../../docs/schema/lockstep.schema.json");
});

it("the schema of the scenario describes every key, for editors", () => {
  const undescribed: string[] = [];
  const walk = (node: unknown, path: string): void => {
    if (node === null || typeof node !== "object") return;
    const { properties } = node as { properties?: Record<string, object> };
    for (const [key, schema] of Object.entries(properties ?? {})) {
      if (!("description" in schema) && "type" in schema && schema.type !== "object")
        undescribed.push(`${path}.${key}`);
    }
    for (const [key, inner] of Object.entries(node))
      walk(inner, key === "properties" ? path : `${path}.${key}`);
  };
  walk(scenarioJsonSchema(), "");
  expect(undescribed).toEqual([]);
});

it("reports follow their schema to the letter, after a trip through JSON too", async () => {
  for (const rest of [
    "steps: [boot]\n",
    "steps: [boot, {touch: {gpa: 6G}}, {pressure: {leave: 0}}]\n",
    "guest: {accept: eager}\nsteps: [boot, {resize: {device: vm0, to: 32M}}, {note: n}, {wait: 1s}]\nexpect: {MemFree: 0}\n",
  ]) {
    const { report } = await playText(MACHINE + rest);
    expect(reportSchema.parse(report)).toEqual(report);
    expect(reportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  }
});
