import { expect, it } from "vitest";
import { withoutRuns } from "./compare.ts";
import { play } from "./player.ts";
import { summary } from "./render/terminal.ts";
import { FakeWorld } from "./testing/fake-world.ts";
import { loadText, MACHINE } from "./testing/play-text.ts";
import type { MapRun } from "./world.ts";

/** A world that sees no pages, no driver and one invariant, and whose first 64 plugged bits are as it happens. */
class DimWorld extends FakeWorld {
  readonly invariants: ReadonlySet<string> = new Set(["I2"]);
  readonly untold = { driverBlocks: true, pluggedBits: () => [{ first: 0, count: 64 }] };

  override snapshotMap(): MapRun[] {
    return super.snapshotMap().map((run) => (run.online ? { ...run, use: "unknown" } : run));
  }
}

const judged = async (expectations: string) => {
  const steps = "steps: [boot, {resize: {device: vm0, to: 6M}}]\n";
  const scenario = loadText(`${MACHINE}${steps}expect: ${expectations}\n`);
  return (await play(scenario, new DimWorld(), { version: "test" })).report;
};

it.each([
  [
    "{range: {at: 6G, size: 6M, plugged: true, use: free}}",
    { held: true, expected: "plugged true", unasked: "use free" },
  ],
  ["{range: {at: 6G, size: 6M, use: free}}", { held: true, expected: "", unasked: "use free" }],
  [
    "{range: {at: 6G, size: 6M, plugged: false, use: free}}",
    { held: false, expected: "plugged false", unasked: "use free" },
  ],
  [
    "{device: {id: vm0, plugged: 6M, blockStates: {48: KERNEL}}}",
    { held: true, expected: "plugged 6M", unasked: "block 48 KERNEL" },
  ],
  [
    "{bitmap: {setBits: {plugged: '0-1026'}}}",
    { held: true, expected: "plugged 64-1026", unasked: "plugged 0-63" },
  ],
  [
    "{bitmap: {setBits: {plugged: '0-1023'}}}",
    { held: false, expected: "plugged 64-1023", unasked: "plugged 0-63" },
  ],
  ["{longestSpin: '< 1ms'}", { held: true, expected: "", unasked: "longestSpin < 1ms" }],
  ["{broken: [I11]}", { held: true, expected: "", unasked: "I11" }],
])("what a world cannot tell is not asked there, and the rest is: %s", async (text, judgement) => {
  const { expectations, verdict } = await judged(text);
  expect(expectations).toEqual([expect.objectContaining(judgement)]);
  expect(verdict).toBe(judgement.held ? "held" : "failed");
});

it("the summary counts what was asked, and says that something was not", async () => {
  const report = await judged("{machine: running, range: {at: 6G, size: 6M, use: free}, broken: [I11]}");
  expect(summary(report)).toEqual([
    "1 of 1 expectation held",
    "2 not asked in this world, or not all of them",
    "0 violations",
  ]);
});

it("runs lose the bits of others, wherever those begin and end", () => {
  const runs = [
    { first: 0, count: 10 },
    { first: 20, count: 10 },
  ];
  const bitsOf = (some: readonly { first: number; count: number }[]): number[] =>
    some.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
  for (let first = 0; first < 32; first++)
    for (let count = 0; count < 32; count++) {
      const left = bitsOf(runs).filter((bit) => bit < first || first + count <= bit);
      expect(bitsOf(withoutRuns(runs, [{ first, count }]))).toEqual(left);
    }
});
