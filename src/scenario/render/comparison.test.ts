import { expect, it } from "vitest";
import type { DesignComparison, DesignResult } from "../design-comparison.ts";
import { renderComparison, renderComparisonMarkdown } from "./comparison.ts";

const LARGE: DesignResult = {
  design: "notifier-strict",
  platform: "tdx",
  verdict: "not modelled",
  why: "",
  fate: { state: "panicked", why: "a | b" },
  firstViolation: { invariant: "I10", line: 12345, step: 1, why: "so" },
  violations: Array.from({ length: 16 }, (_, n) => `I${n + 10}`),
  firstFailure: null,
  cost: {
    tdcalls: { "TDG.MEM.PAGE.ACCEPT": 16_777_216, "TDG.MEM.PAGE.RELEASE": 16_777_216, "TDG.VM.RD": 12_345 },
    exits: { accept: 16_777_216, access: 16_777_216, TDVMCALL: 16_777_216, "host kick": 1234 },
    unpluggedAccepted: 2 ** 42 - 4096,
    acceptedForNothing: 2 ** 42 - 4096,
    peakHostMemory: 2 ** 42 - 4096,
    bootNs: 1_234_567_890_123,
    plugNs: 1_234_567_890_123,
    unplugNs: 1_234_567_890_123,
    virtualNs: 1e12,
    logLines: 123_456,
    bitmapBytes: 2 ** 29,
  },
};

const comparison: DesignComparison = {
  format: "tidemark-compare",
  formatVersion: 1,
  tidemark: "0",
  scenario: { file: "s.yaml", name: "s", title: "A title with a | in it" },
  world: "model",
  seed: 1,
  designs: [LARGE],
  partings: [],
};

it("has no line of more than 80 columns, however large the figures are", () => {
  const text = renderComparison(comparison, { width: 80, colour: false, unicode: false, isTerminal: false });
  expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
  expect(text).toContain("I10 I11 I12 I13 +12");
});

it("keeps Markdown's own marks out of its cells", () => {
  const text = renderComparisonMarkdown(comparison);
  expect(text).toContain("a \\| b");
  for (const line of text.split("\n").filter((one) => one.startsWith("| notifier-strict")))
    expect(line.replaceAll("\\|", "")).toMatch(/^(\|[^|]+)+\|$/);
});

it("names the platform behind each design where there are two, and counts PVALIDATE as an accept", () => {
  const tdcalls = { PVALIDATE: 7, "PVALIDATE rescind": 5 };
  const onSnp: DesignResult = { ...LARGE, platform: "snp", cost: { ...LARGE.cost!, tdcalls } };
  const both: DesignComparison = {
    format: "tidemark-compare",
    formatVersion: 1,
    tidemark: "0",
    scenario: { file: "f", name: "n", title: "" },
    world: "model",
    seed: 1,
    designs: [LARGE, onSnp],
    partings: [],
  };
  const text = renderComparisonMarkdown(both);
  expect(text).toContain("(1 design on tdx and snp, model world");
  expect(text).toContain("| notifier-strict tdx |");
  expect(text).toMatch(/\| notifier-strict snp \| 7 \| 5 \| 0 \|/);
});
