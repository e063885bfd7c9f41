import { expect, it, vi } from "vitest";
import { withoutRuns } from "./compare.ts";
import { play } from "./player.ts";
import { summary } from "./render/terminal.ts";
import { ScenarioError } from "./scenario-error.ts";
import { FakeWorld } from "./testing/fake-world.ts";
import { loadText, MACHINE } from "./testing/play-text.ts";
import type { MapRun } from "./world.ts";

/** A world that sees no pages, no driver and one invariant, and whose first 64 plugged bits are as it happens. */
class DimWorld extends FakeWorld {
  readonly invariants: ReadonlySet<string> = new Set(["I2"]);
  readonly untold = {
    ...{ driverBlocks: true, pageUse: true, idle: true },
    pluggedBits: () => [{ first: 0, count: 64 }],
  };

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

it("a page of an online block is neither offline nor outside Linux", async () => {
  for (const use of ["offline", "none"]) {
    const { expectations } = await judged(`{range: {at: 6G, size: 6M, use: ${use}}}`);
    expect(expectations).toMatchObject([{ held: false, expected: `use ${use}` }]);
  }
});

it.each([
  ["{range: {at: 6G, size: 6M, use: free}}", "use free"],
  ["{range: {at: 6G, size: 6M, plugged: true, use: allocated}}", "use allocated"],
  ["{device: {id: vm0, plugged: 6M, blockStates: {48: KERNEL}}}", "block 48 KERNEL"],
  ["{longestSpin: '< 1ms'}", "longest spin < 1ms"],
  ["{broken: [I11]}", "broken I11"],
  ["idle", "idle"],
])("a wait for what a world cannot tell is refused before it starts: %s", async (text, found) => {
  const world = new DimWorld();
  const started = vi.spyOn(world, "start");
  const scenario = loadText(`${MACHINE}steps: [boot, {wait: {for: ${text}}}]\n`);
  const refused = play(scenario, world, { version: "test" });
  await expect(refused).rejects.toThrow(ScenarioError);
  await expect(refused).rejects.toThrow(/^sample\.yaml:6:\d+: expected something to wait for that the model/);
  await expect(refused).rejects.toThrow(`world can tell, found ${found}; wait for something else`);
  expect(started).not.toHaveBeenCalled();
});

it.each(["{range: {at: 6G, size: 6M, plugged: false, use: none}}", "{device: {id: vm0, plugged: 0}}", "1s"])(
  "what a world can tell is waited for there: %s",
  async (text) => {
    const scenario = loadText(`${MACHINE}steps: [boot, {wait: {for: ${text}}}]\n`);
    const { report } = await play(scenario, new DimWorld(), { version: "test" });
    expect(report.played.at(-1)?.status).toBe("SUCCESS");
  },
);

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
