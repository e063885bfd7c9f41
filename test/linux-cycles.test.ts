import { describe, expect, it } from "vitest";
import { LinuxWorld } from "../src/lab/world/linux-world.ts";
import { Prng } from "../src/machine/prng.ts";
import { MIB } from "../src/units.ts";
import { LAB_NEEDS, LAB_READY } from "./linux-lab.ts";
import { load } from "./model-machine.ts";

/** An emulated guest on a busy machine takes its time. One that hangs is told of long before. */
const PATIENCE = { timeout: 1_800_000 };
const CYCLES = 20;
const SEED = 20_261_121;

/** Steps of a scenario that the test performs one by one. */
const STEPS = `
name: cycles
title: memory comes, is filled, emptied and goes, in an order that a seed chose
machine:
  memory: 1G
  slots: 1
  maxmem: 3G
  virtioMem: [{id: vm0, size: 512M}]
  firmware: {unaccepted: all}
guest: {kernel: 6.12, accept: lazy, design: bitmaps, autoOnline: online_movable}
steps:
  - boot
  - plug: {dimm: d0, size: 256M}
  - unplug: {dimm: d0}
  - resize: {device: vm0, to: 128M}
  - allocate: {name: heap, size: 100M}
  - free: {name: heap}
`;

describe.skipIf(!LAB_READY)(`an unmodified kernel under bitmaps${LAB_NEEDS}`, () => {
  it(`${CYCLES} random cycles of a DIMM and a virtio-mem device break nothing`, PATIENCE, async () => {
    const scenario = load(STEPS);
    const step = <K extends string>(kind: K) => {
      const found = scenario.steps.find((each) => each.kind === kind);
      if (found === undefined) throw new Error(`no step ${kind}`);
      return found as Extract<(typeof scenario.steps)[number], { kind: K }>;
    };
    const prng = new Prng(SEED);
    const world = new LinuxWorld();
    const device = async (id: string) => (await world.devices()).find((each) => each.id === id);
    try {
      await world.start(scenario);
      expect(await world.perform(step("boot"))).toMatchObject({ status: "SUCCESS" });
      let moved = 0;
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        const before = (await device("vm0"))?.plugged ?? 0;
        // A size of whole memory blocks: a part of one runs into a known hazard of the design.
        const to = prng.below(5) * 128 * MIB;
        await world.perform({ ...step("resize"), to });
        const dimm = await device("d0");
        if (prng.below(2) === 1) await world.perform(dimm === undefined ? step("plug") : step("unplug"));
        const { status } = await world.perform({
          ...step("allocate"),
          size: (400 + prng.below(300)) * MIB,
        });
        if (status === "SUCCESS") await world.perform(step("free"));
        expect(world.fate()).toEqual({ state: "running", why: "" });
        expect(world.oopses()).toEqual([]);
        expect(await world.violations()).toEqual([]);
        if (((await device("vm0"))?.plugged ?? 0) !== before) moved++;
      }
      expect(moved).toBeGreaterThan(CYCLES / 4);
    } finally {
      await world.stop();
    }
  });
});
