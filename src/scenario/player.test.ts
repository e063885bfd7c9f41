import { expect, it } from "vitest";
import { play } from "./player.ts";
import type { RunReport } from "./report.ts";
import type { Action } from "./scenario.ts";
import { ScenarioError } from "./scenario-error.ts";
import { FakeWorld } from "./testing/fake-world.ts";
import { loadText, MACHINE, playText } from "./testing/play-text.ts";
import type { Outcome, Violation } from "./world.ts";

const run = async (rest: string): Promise<RunReport> => (await playText(MACHINE + rest)).report;

/** Judgements as text: line, whether held, what, found. */
const judged = ({ expectations }: RunReport): string[] =>
  expectations.map(({ line, held, what, found }) => `${line} ${held ? "held" : "FAILED"} ${what} | ${found}`);

it("a scenario whose expectations are met holds", async () => {
  const report = await run(`steps:
  - boot
  - resize: {device: vm0, to: 6M}
expect:
  MemTotal: '>= 3900M'
  Unaccepted: 2078720
  nr_unaccepted: 519680
  device: {id: vm0, plugged: 6M}
`);
  expect(judged(report)).toEqual([
    "10 held MemTotal >= 3900M | 4134912 kB (4038M)",
    "11 held Unaccepted = 2078720 | 2078720 kB",
    "12 held nr_unaccepted = 519680 | 519680 pages",
    "13 held vm0: plugged = 6M | plugged 6M",
  ]);
  expect([report.verdict, report.violations]).toEqual(["held", []]);
});

it("an expectation that is not met fails, with what was found", async () => {
  const report = await run(
    "steps: [boot]\nexpect: {Unaccepted: 0, range: {at: 4G, size: 32M, accepted: true}}\n",
  );
  expect(report.verdict).toBe("failed");
  expect(judged(report)).toEqual([
    "7 FAILED Unaccepted = 0 | 2072576 kB",
    "7 FAILED 0x100000000-0x101ffffff: accepted true | accepted false at 0x101800000-0x101ffffff",
  ]);
});

it("a step that is refused fails the run, unless the next step expects that status", async () => {
  const fault = "faults: [virtio-mem PLUG at 1 answers NACK]\n";
  const refused = await run(`${fault}steps: [boot, {resize: {device: vm0, to: 2M}}]\n`);
  expect(judged(refused)).toEqual(["7 FAILED resize vm0 to 2M | NACK (as the scenario asks)"]);
  expect(refused.expectations[0]!.implicit).toBe(true);
  const expected = await run(
    `${fault}steps: [boot, {resize: {device: vm0, to: 2M}}, {expect: {status: NACK}}, {note: fine}]\n`,
  );
  expect([expected.verdict, judged(expected)]).toEqual(["held", ["7 held status NACK | NACK"]]);
});

it("a broken invariant breaks the run, unless the scenario declares it", async () => {
  const steps = "steps:\n  - boot\n  - touch: {gpa: 6G}\n  - note: dead\n  - pressure: {leave: 0}\n";
  const broken = await run(steps);
  expect([broken.verdict, broken.fate.state]).toEqual(["broken", "killed"]);
  expect(broken.violations).toMatchObject([{ invariant: "I1", line: 8, expected: false }]);
  expect(broken.played.map(({ status }) => status)).toEqual(["SUCCESS", "TD_KILLED", "", "SKIPPED"]);
  const shown = await run(
    `${steps.replace("  - note", "  - expect: {status: TD_KILLED}\n  - note")}invariants: {broken: [I1]}\n`,
  );
  expect([shown.verdict, shown.violations[0]!.expected]).toEqual(["held", true]);
});

it("what breaks in a step of the machine that no event tells of is told at the line it was done for", async () => {
  class Quiet extends FakeWorld {
    private acted = 0;
    override perform(action: Action): Outcome {
      this.acted++;
      return super.perform(action);
    }
    steps(): number {
      return this.acted * 10_000;
    }
    override violations(): Violation[] {
      return [9_999, 10_001].map((step) => ({ invariant: "I22", step, range: null, why: "" }));
    }
  }
  const text = `${MACHINE}steps:\n  - boot\n  - resize: {device: vm0, to: 6M}\n`;
  const { report } = await play(loadText(text), new Quiet(), { version: "test" });
  expect(report.violations.map(({ step, line }) => [step, line])).toEqual([
    [9_999, 7],
    [10_001, 8],
  ]);
});

it("an invariant that is declared broken and holds fails the run", async () => {
  const report = await run("steps: [boot]\ninvariants: {broken: [I2]}\n");
  expect([report.verdict, judged(report)]).toEqual(["failed", ["7 FAILED I2 is broken | held"]]);
});

it("a machine that died unannounced fails the run", async () => {
  const steps = "steps: [boot, {parallel: [{touch: {gpa: 6G}}]}]\ninvariants: {broken: [I1]}\n";
  const report = await run(steps);
  expect(report.verdict).toBe("failed");
});

it("waits for a duration, for rest and for a condition", async () => {
  const report = await run(`steps:
  - boot
  - resize: {device: vm0, to: 8M}
  - allocate: {name: all, size: 5G}
  - expect: {status: -ENOMEM}
  - resize: {device: vm0, to: 0}
  - wait: 10s
  - expect: {device: {id: vm0, plugged: 8M}}
  - free: {name: all}
  - wait: {for: {device: {id: vm0, plugged: 0}}}
  - wait: idle
  - wait: {for: {MemFree: 0}, timeout: 1s}
`);
  expect(report.played.slice(-3).map(({ status, detail }) => `${status} ${detail}`)).toEqual([
    "SUCCESS ",
    "SUCCESS ",
    "TIMEOUT the machine is idle: MemFree = 0, found 4128768 kB",
  ]);
  expect(report.played.at(-4)!.endNs - report.played.at(-5)!.startNs).toBeGreaterThanOrEqual(10e9);
  expect(report.verdict).toBe("failed");
});

it("a wait ends at its timeout", async () => {
  const report = await run(`steps:
  - boot
  - resize: {device: vm0, to: 8M}
  - allocate: {name: all, size: 5G}
  - expect: {status: -ENOMEM}
  - resize: {device: vm0, to: 0}
  - wait: {for: idle, timeout: 120s}
`);
  const last = report.played.at(-1)!;
  expect([last.status, last.detail, last.endNs - last.startNs]).toEqual([
    "TIMEOUT",
    "after 120 s: not idle",
    120e9,
  ]);
});

it("a counter that the world does not have is a mistake in the input", async () => {
  const rejected = run("steps: [boot]\nexpect: {Slab: 0}\n");
  await expect(rejected).rejects.toThrow(ScenarioError);
  await expect(rejected).rejects.toThrow(
    "sample.yaml:7:10: expected a counter of the model world, found Slab; use MemTotal, MemFree, Unaccepted or nr_unaccepted",
  );
});

it("shows the map before the steps and after them, and in between if asked", async () => {
  const only = await run("steps: [boot]\n");
  expect([only.map.before.label, only.map.after.label]).toEqual([
    "before boot (line 6)",
    "after boot (line 6)",
  ]);
  const text = `${MACHINE}steps: [boot, {resize: {device: vm0, to: 6M}}, {note: n}]\n`;
  const { report, frames } = await playText(text, { frames: true });
  expect(report.map.before.label).toBe("before resize vm0 to 6M (line 6)");
  expect(frames.map(({ label }) => label)).toEqual([
    "before boot (line 6)",
    "after boot (line 6)",
    "after resize vm0 to 6M (line 6)",
  ]);
  const vm0 = report.map.after.runs.filter(({ owner }) => owner === "vm0");
  expect(vm0.map(({ start, end, plugged }) => [(end - start) / 2 ** 20, plugged])).toEqual([
    [6, true],
    [1018, false],
  ]);
});

it("hands out every machine step with the line it was done for", async () => {
  const lines: number[] = [];
  const { report } = await playText(`${MACHINE}steps:\n  - boot\n  - resize: {device: vm0, to: 6M}\n`, {
    onEvent: (_event, line) => lines.push(line),
  });
  const made = report.played.map(({ line, firstStep, lastStep }) => [line, lastStep - firstStep + 1]);
  expect(made).toEqual([
    [7, lines.filter((line) => line === 7).length],
    [8, 4],
  ]);
});

it("samples the counters that move", async () => {
  const report = await run("guest: {accept: eager}\nsteps: [boot]\n");
  const { ns, step, counters } = report.curves;
  expect(Object.keys(counters)).toEqual(["MemTotal", "MemFree", "Unaccepted", "nr_unaccepted"]);
  expect(ns.length).toBeLessThanOrEqual(256);
  expect(step.at(-1)).toBe(report.played[0]!.lastStep);
  const { Unaccepted } = counters;
  expect(Unaccepted!.at(-1)).toBe(0);
  expect(ns.toSorted((a, b) => a - b)).toEqual(ns);
});

it("plays the same scenario the same way", async () => {
  const text = "steps: [boot, {resize: {device: vm0, to: 64M}}, {resize: {device: vm0, to: 2M}}]\n";
  expect(await run(text)).toEqual(await run(text));
});
