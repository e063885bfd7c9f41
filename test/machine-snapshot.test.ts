import fc from "fast-check";
import { afterEach, expect, it, vi } from "vitest";
import { Machine } from "../src/machine/machine.ts";
import { MachineSnapshot } from "../src/machine/snapshot.ts";
import { deepState, differences } from "../src/machine/testing/deep-state.ts";
import { bundledScenarios, loadBundled, playInModel } from "./model-machine.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Up to `steps` steps of a machine, as rows of its trace. */
const run = (machine: Machine, steps: number): string[] => {
  const rows: string[] = [];
  const { raw } = machine.trace;
  machine.trace.raw = (event) => rows.push(JSON.stringify(event));
  for (let step = 0; step < steps; step++) {
    const index = machine.scheduler.pick();
    if (index < 0) break;
    rows.push(`${index} at ${machine.scheduler.now}`);
    machine.step(index);
  }
  machine.trace.raw = raw;
  return rows;
};

/** Holds the law at the place where the machine is, and leaves it there. @returns how many steps it ran */
const checkHere = (machine: Machine, steps: number): number => {
  const snapshot = new MachineSnapshot(machine);
  const before = deepState(machine);
  const first = run(machine, steps);
  const after = deepState(machine);
  snapshot.restore();
  expect(differences(before, deepState(machine))).toEqual([]);
  expect(run(machine, steps)).toEqual(first);
  expect(differences(after, deepState(machine))).toEqual([]);
  snapshot.restore();
  return first.length;
};

/** Plays a scenario and holds the law at points of it that `seed` draws. @returns places looked at */
const playAndCheck = async (name: string, seed: number, most: number): Promise<number> => {
  const { settle } = Machine.prototype;
  let mix = seed;
  const below = (bound: number): number => {
    mix = (Math.imul(mix, 1103515245) + 12345) & 0x7fff_ffff;
    return (mix >> 8) % bound;
  };
  let looks = 0;
  vi.spyOn(Machine.prototype, "settle").mockImplementation(function (this: Machine) {
    if (this.booted && looks < most && below(2) === 0) {
      looks++;
      run(this, below(400));
      checkHere(this, 1 + below(300));
    }
    settle.call(this);
  });
  const { report } = await playInModel(loadBundled(name));
  expect(report.verdict).toBe("held");
  return looks;
};

/** Scenarios whose machines are so large that walking them takes most of a test's time; others have all their parts. */
const LARGE = /^(lkvs|field)\//;

it.each(bundledScenarios().filter((name) => !LARGE.test(name)))(
  "%s goes on from a snapshot as it did before",
  { timeout: 600_000 },
  async (name) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 30 }), async (seed) => {
        await playAndCheck(name, seed, 2);
        vi.restoreAllMocks();
      }),
      { numRuns: 1 },
    );
  },
);
