import { describe, expect, it } from "vitest";
import { DESIGN_NAMES } from "../../designs/designs.ts";
import { loadScenario } from "../../scenario/load.ts";
import { ModelWorld } from "../../scenario/model/model-world.ts";
import { play } from "../../scenario/player.ts";
import { checkMachine } from "../machine/check-machine.ts";
import type { Deed, MachineConfiguration } from "../machine/configurations/configuration.ts";
import { SMALLEST, standardConfiguration } from "../machine/configurations/standard-configurations.ts";
import { forcedStory, NotForcible } from "./forced-deeds.ts";
import { scenarioOfStory } from "./story-scenario.ts";

const LONG = { timeout: 600_000 };
const MIB = 2 ** 20;

const load = (text: string) =>
  loadScenario(text, {
    ...{ file: "story.json", designs: DESIGN_NAMES, overrides: [] },
    readBytes: () => new Uint8Array(),
  });

const grown = { ...standardConfiguration("grow-shrink", "notifier")!, rules: ["I2"] };
const { story } = await checkMachine(grown);

describe("a story in which people wait for each other", LONG, () => {
  it("is what they do, in their order", async () => {
    const forced = await forcedStory(grown, story!.path);
    expect(forced).toEqual({ deeds: [{ do: "resize", to: 1 }], strikes: false });
  });

  it("breaks the same rule on a machine with blocks of a real kernel's size", async () => {
    const scenario = load(scenarioOfStory(grown, await forcedStory(grown, story!.path), story!.violation));
    const { report } = await play(scenario, new ModelWorld(), { version: "test" });
    expect(report.violations.map(({ invariant }) => invariant)).toContain("I2");
  });
});

const configuration = (...deeds: readonly Deed[]): MachineConfiguration => ({
  ...{ ...SMALLEST, name: "one operator", design: "tide" },
  programs: [{ by: "operator", deeds, when: "at rest" }],
});
const stepsOf = (machine: MachineConfiguration, ...deeds: readonly (Deed | "wait")[]): unknown =>
  JSON.parse(scenarioOfStory(machine, { deeds, strikes: false }, "I2: x")).steps.slice(1);

describe("a deed of a story", () => {
  it("has so many bytes that a memory block is a real one", () => {
    expect(stepsOf(configuration(), { do: "resize", to: 1 }, "wait")).toEqual([
      { resize: { device: "vm0", to: 64 * MIB } },
      { wait: "60s" },
    ]);
    const large: MachineConfiguration = {
      ...configuration(),
      blockUnits: 64,
      device: { kind: "dimm", units: 64 },
    };
    expect(stepsOf(large, { do: "plug" }, { do: "offline", block: 1 })).toEqual([
      { plug: { dimm: "dimm0", size: 128 * MIB } },
      { offline: { block: 33 } },
    ]);
  });

  it("frees all that was allocated under its name", () => {
    const heap: Deed = { do: "allocate", units: 1, as: "user 1" };
    expect(stepsOf(configuration(), heap, heap, { do: "free", as: "user 1" })).toEqual([
      { allocate: { name: "user-1-1", size: 64 * MIB } },
      { allocate: { name: "user-1-2", size: 64 * MIB } },
      { free: { name: "user-1-1" } },
      { free: { name: "user-1-2" } },
    ]);
  });

  it("has a table that ends with boot memory where the story's does", () => {
    const machine = standardConfiguration("outside-table", "bitmaps")!;
    const { firmware } = JSON.parse(scenarioOfStory(machine, { deeds: [], strikes: false }, "I8: x")).machine;
    expect(firmware).toEqual({ unaccepted: "all", srat: "none" });
    for (const name of ["odd-region", "kexec-srat-over-ram"])
      expect(() =>
        scenarioOfStory(standardConfiguration(name, "bitmaps")!, { deeds: [], strikes: false }, "I8: x"),
      ).toThrow(NotForcible);
  });

  it("makes a scenario that loads, whatever the machine", () => {
    for (const name of ["replug-eager", "dimm-no-release", "kexec-dimm", "unplug-busy"]) {
      const machine = standardConfiguration(name, "bitmaps")!;
      const deeds = machine.programs.flatMap((program) => program.deeds);
      const text = scenarioOfStory(machine, { deeds, strikes: machine.fault !== null }, "I2: x");
      expect(load(text).steps.length).toBeGreaterThan(deeds.length);
    }
  });
});

describe("what cannot be forced is refused with the step", LONG, () => {
  it("a deed that begins while somebody is in the middle of something", async () => {
    const busy: MachineConfiguration = {
      ...configuration({ do: "resize", to: 2 }),
      programs: [
        { by: "operator", deeds: [{ do: "resize", to: 2 }], when: "any time" },
        { by: { user: 1 }, deeds: [{ do: "allocate", units: 1, as: "heap" }], when: "any time" },
      ],
    };
    await expect(forcedStory(busy, [0, 1])).rejects.toThrow(
      /^step 2, user@vcpu1: allocate 2M as heap, begins while virtio-mem vm0 is at \S+; on a real guest/,
    );
  });

  it.each([
    ["a fault of a call that a kernel makes at boot as well", "TDG.MEM.PAGE.ACCEPT", "OPERAND_BUSY"],
    ["of either kind", "TDH.MEM.PAGE.AUG", "OPERAND_BUSY"],
  ])("%s", (_what, call, answer) => {
    const faulty = { ...configuration(), fault: { call, answer } };
    expect(() => scenarioOfStory(faulty, { deeds: [], strikes: true }, "I2: x")).toThrow(NotForcible);
    expect(() => scenarioOfStory(faulty, { deeds: [], strikes: false }, "I2: x")).not.toThrow();
  });

  it("a read of boot memory beside the device, which lies elsewhere", () => {
    expect(() => stepsOf(configuration(), { do: "read", across: 2 })).toThrow(NotForcible);
    expect(stepsOf(configuration(), { do: "read", across: 3 })).toEqual([
      { read: { across: 2 ** 32 + 64 * MIB } },
    ]);
  });
});
