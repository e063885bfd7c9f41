import { describe, expect, it } from "vitest";
import { LinuxWorld } from "../src/lab/world/linux-world.ts";
import { playBoth } from "../src/scenario/lockstep/lockstep.ts";
import type { LockstepReport } from "../src/scenario/lockstep/lockstep-report.ts";
import { ModelWorld } from "../src/scenario/model/model-world.ts";
import { LAB_NEEDS, LAB_READY } from "./linux-lab.ts";
import { bundledScenarios, loadBundled } from "./model-machine.ts";

/** An emulated guest on a busy machine takes its time. One that hangs is told of long before. */
const PATIENCE = { timeout: 1_200_000 };

const playInBoth = (name: string): Promise<LockstepReport> =>
  playBoth(loadBundled(name), { model: new ModelWorld(), linux: new LinuxWorld() }, { version: "test" });

describe.skipIf(!LAB_READY)(`an unmodified kernel${LAB_NEEDS}`, () => {
  it.each(bundledScenarios().filter((name) => name.startsWith("linux/")))(
    "%s holds, and shows what the model shows after each step",
    PATIENCE,
    async (name) => {
      const { worlds, differences } = await playInBoth(name);
      const { linux } = worlds;
      const unmet = linux.expectations
        .filter(({ held }) => !held)
        .map(({ line, what, found }) => ({ line, what, found }));
      const unexpected = linux.violations.filter(({ expected }) => !expected);
      expect({ verdict: linux.verdict, unmet, unexpected, differences }).toEqual({
        verdict: "held",
        unmet: [],
        unexpected: [],
        differences: [],
      });
    },
  );

  it("Unaccepted falls by what the module was asked to accept, and by nothing else", PATIENCE, async () => {
    const world = new LinuxWorld({ enforcement: "audit" });
    const scenario = loadBundled("linux/boot-lazy");
    const step = (kind: string) => scenario.steps.find((each) => each.kind === kind);
    const [boot, allocate] = [step("boot"), step("allocate")];
    expect(boot?.kind === "boot" && allocate?.kind === "allocate").toBe(true);
    if (boot?.kind !== "boot" || allocate?.kind !== "allocate") return;
    const unaccepted = async () =>
      (await world.counters()).find(({ name }) => name === "Unaccepted")?.value ?? 0;
    let units = 0;
    world.onEvent(({ what, status }) => {
      if (what === "TDG.MEM.PAGE.ACCEPT 2M" && status === "SUCCESS") units++;
    });
    try {
      await world.start(scenario);
      expect(await world.perform(boot)).toMatchObject({ status: "SUCCESS" });
      const before = await unaccepted();
      units = 0;
      expect(await world.perform(allocate)).toMatchObject({ status: "SUCCESS" });
      const after = await unaccepted();
      // Unaccepted counts whole chunks of 4 MiB; a guard unit that is accepted ahead stays in its chunk's count.
      expect(before - after).toBeGreaterThan(0);
      expect(Math.abs(before - after - units * 2048)).toBeLessThanOrEqual(2048);
      expect(await world.violations()).toEqual([]);
    } finally {
      await world.stop();
    }
  });
});
