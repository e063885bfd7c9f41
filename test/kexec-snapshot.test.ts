import { expect, it, vi } from "vitest";
import type * as Kexec from "../src/machine/kexec.ts";
import type { Machine } from "../src/machine/machine.ts";
import { MachineSnapshot } from "../src/machine/snapshot.ts";
import { deepState, differences } from "../src/machine/testing/deep-state.ts";
import { bundledScenarios, loadBundled, playInModel } from "./model-machine.ts";

/** Jumps that were done, taken back, and done once more. */
const seen = { jumps: 0 };

/** Does `jump` twice from the same snapshot; both times the machine has to become the same, and in between what it was. */
const twice = <T>(machine: Machine, jump: () => T): T => {
  const snapshot = new MachineSnapshot(machine);
  const before = deepState(machine);
  const first = jump();
  const after = deepState(machine);
  snapshot.restore();
  expect(differences(before, deepState(machine)).slice(0, 10)).toEqual([]);
  expect(jump()).toEqual(first);
  expect(differences(after, deepState(machine)).slice(0, 10)).toEqual([]);
  seen.jumps++;
  return first;
};

vi.mock("../src/machine/kexec.ts", async (actual) => {
  const { kexec, crash, dumpOf } = await actual<typeof Kexec>();
  return {
    dumpOf,
    kexec: (machine: Machine, next: Parameters<typeof kexec>[1]) =>
      twice(machine, () => kexec(machine, next)),
    crash: (machine: Machine) => twice(machine, () => crash(machine)),
  };
});

const JUMPING = bundledScenarios()
  .filter((name) => !name.startsWith("linux"))
  .filter((name) => loadBundled(name).steps.some(({ kind }) => kind === "kexec" || kind === "crash"));

it.each(JUMPING)(
  "%s: a snapshot from before the next kernel brings the last one back",
  { timeout: 600_000 },
  async (name) => {
    const { jumps } = seen;
    const { report } = await playInModel(loadBundled(name));
    expect(report.verdict).toBe("held");
    expect(seen.jumps).toBeGreaterThan(jumps);
  },
);
