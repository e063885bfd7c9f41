import { expect, it } from "vitest";
import { openCollector } from "./entry.ts";

it("commands run one after the other in a process, and each answers its own status and output", async () => {
  const run = openCollector();
  const wrong = await run(["run", "dimm-replug", "--design", "nobody"]);
  expect(wrong.status).toBe(2);
  expect(wrong.output).toMatch(/^[^\n]*expected [^\n]*nobody[^\n]*\n$/);
  const played = await run(["run", "dimm-replug", "--json"]);
  expect(played.status).toBe(0);
  expect(JSON.parse(played.output)).toMatchObject({ verdict: "held", scenario: { name: "dimm-replug" } });
});
