import { expect, it } from "vitest";
import { compareDesigns } from "../src/scenario/design-comparison.ts";
import { comparisonSchema } from "../src/scenario/design-comparison-schema.ts";
import { ModelWorld } from "../src/scenario/model/model-world.ts";
import { renderComparison } from "../src/scenario/render/comparison.ts";
import { renderTerminal } from "../src/scenario/render/terminal.ts";
import { comparisonDocument, reportDocument } from "../src/scenario/report-document.ts";
import { reportSchema } from "../src/scenario/report-schema.ts";
import { loadBundled, playInModel } from "./model-machine.ts";

const SCREEN = { width: 100, isTerminal: false, colour: false, unicode: false };

it("a TD's report keeps its names, and is of version 1", async () => {
  const { report } = await playInModel(loadBundled("tide-dimm"));
  const document = reportSchema.parse(reportDocument(report));
  expect(document).toEqual(report);
  expect([document.formatVersion, Object.keys(document.cost)]).toEqual([
    1,
    ["tdcalls", "seamcalls", "exits", "virtualNs"],
  ]);
});

it("a report of SEV-SNP speaks of PVALIDATE, RMPUPDATE and the RMP, and is of version 2", async () => {
  const { report } = await playInModel(loadBundled("snp-replug"));
  const { formatVersion, cost, map } = reportSchema.parse(reportDocument(report));
  expect([formatVersion, Object.keys(cost)]).toEqual([2, ["guestCalls", "hostCalls", "exits", "virtualNs"]]);
  expect(Object.keys(cost.guestCalls ?? {})).toContain("PVALIDATE rescind");
  expect(Object.keys(cost.hostCalls ?? {})).toContain("RMPUPDATE");
  expect(new Set(map.after.runs.map(({ rmp, sept }) => `${rmp} ${sept}`))).toEqual(
    new Set(["GUEST_INVALID undefined", "GUEST_VALID undefined", "UNMAPPED undefined"]),
  );
  const text = renderTerminal(report, SCREEN);
  expect(text).toContain("VM exits");
  expect(text).toContain("GUEST_INVALID");
  expect(text).not.toMatch(/TDCALL|TD exits|secure.EPT|\b(MAPPED|PENDING)\b/);
});

it("a comparison of both platforms has the names of each", async () => {
  const comparison = await compareDesigns(loadBundled("snp-replug"), {
    version: "test",
    designs: ["tide"],
    platforms: ["tdx", "snp"],
    open: async () => new ModelWorld(),
  });
  const { formatVersion, designs } = comparisonSchema.parse(comparisonDocument(comparison));
  const names = designs.map(({ platform, cost }) => [
    platform,
    Object.keys(cost ?? {})[0],
    "VMGEXIT" in (cost?.exits ?? {}),
  ]);
  expect([formatVersion, names]).toEqual([
    2,
    [
      ["tdx", "tdcalls", false],
      ["snp", "guestCalls", true],
    ],
  ]);
  expect(renderComparison(comparison, SCREEN)).toContain("Guest calls (ACCEPT or PVALIDATE");
});
