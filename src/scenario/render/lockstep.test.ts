import { describe, expect, it } from "vitest";
import { loadScenario } from "../load.ts";
import { playBoth } from "../lockstep/lockstep.ts";
import type { LockstepReport } from "../lockstep/lockstep-report.ts";
import { FakeWorld } from "../testing/fake-world.ts";
import { MACHINE } from "../testing/play-text.ts";
import { renderLockstep } from "./lockstep.ts";

const PLAIN = { width: 80, colour: false, unicode: false, isTerminal: false };

const report = (): Promise<LockstepReport> => {
  const scenario = loadScenario(`${MACHINE}steps:\n  - boot\n`, {
    file: "sample.yaml",
    designs: ["none"],
    readBytes: () => new Uint8Array(),
  });
  return playBoth(scenario, { model: new FakeWorld(), linux: new FakeWorld() }, { version: "test" });
};

const DIFFERENCE = {
  step: 3,
  line: 12,
  what: "plug d0 256M",
  quantity: "accepted memory",
  about: "d0",
  bound: 2 ** 26,
  model: "0",
  linux: "256M",
};
const AT_END = {
  step: null,
  line: null,
  what: "the end",
  quantity: "machine",
  about: "",
  bound: 0,
  model: "running",
  linux: "killed",
};

describe("a lockstep report", () => {
  it("that names no difference says how both worlds went", async () => {
    expect(renderLockstep(await report(), PLAIN, false)).toBe(`same  sample: A sample
both worlds - design none - kernel 7.3 lazy - seed 1 - 1 step compared
model: held, nothing expected, 0 violations
linux: held, nothing expected, 0 violations
`);
  });
  it("shows the first difference, and all of them when asked", async () => {
    const differing: LockstepReport = {
      ...(await report()),
      result: "different",
      differences: [DIFFERENCE, AT_END],
    };
    const first = renderLockstep(differing, PLAIN, false).split("\n");
    expect([first[0], ...first.slice(4)]).toEqual([
      "different  sample: A sample",
      "first difference in line 12, step 3, plug d0 256M: accepted memory of d0, which may differ by 64M",
      "  model  0",
      "  linux  256M",
      "and 1 difference more: --all-differences shows all",
      "",
    ]);
    expect(renderLockstep(differing, PLAIN, true).split("\n").slice(7)).toEqual([
      "difference at the end: machine",
      "  model  running",
      "  linux  killed",
      "",
    ]);
  });
  it("keeps to the terminal's width and marks its result in colour", async () => {
    const narrow = { width: 40, colour: false, unicode: true, isTerminal: true };
    const lines = renderLockstep(await report(), narrow, false).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
    const coloured = renderLockstep(await report(), { ...PLAIN, colour: true }, false);
    expect(coloured).toContain("\u001b[32msame");
  });
});
