import { describe, expect, it } from "vitest";
import { VM } from "../../linux/virtio-mem/driver.ts";
import { DISABLED } from "../system.ts";
import type { Deed, MachineConfiguration } from "./configurations/configuration.ts";
import { SMALLEST, standardConfiguration } from "./configurations/standard-configurations.ts";
import { PROGRESS, runFairly } from "./progress.ts";
import { searchMachine } from "./search-machine.ts";
import { MachineSystem } from "./system.ts";
import { VIOLATION } from "./violations.ts";

const LONG = { timeout: 600_000 };

const machineOf = (...deeds: readonly Deed[]): MachineConfiguration => ({
  ...SMALLEST,
  name: "one operator",
  design: "tide",
  programs: [{ by: "operator", deeds, when: "at rest" }],
});

describe("a run in which everybody gets their turn", LONG, () => {
  it.each(["grow-shrink", "replug-no-release", "dimm", "three-vcpus"])(
    "ends with what was asked for in %s",
    (name) => {
      const system = new MachineSystem(standardConfiguration(name, "tide")!);
      system.reset();
      expect(runFairly(system)).toMatchObject({ violation: 0, atRest: true });
      expect(system.programs.done).toBe(true);
    },
  );

  it("lets no fault strike", () => {
    const system = new MachineSystem(standardConfiguration("unplug-busy", "tide")!);
    system.reset();
    runFairly(system);
    expect([...system.machine.injector!.points.struck]).toEqual([0]);
  });

  it("takes choices that there are, and none that is disabled", () => {
    const system = new MachineSystem(machineOf({ do: "resize", to: 1 }));
    system.reset();
    const { path } = runFairly(system);
    system.reset();
    for (const choice of path) {
      expect(choice).toBeLessThan(system.choices());
      expect(system.choose(choice)).not.toBe(DISABLED);
    }
  });
});

const resize = (to: number): Deed => ({ do: "resize", to });

/** Memory of a kernel zone, where nothing is moved: the upper of two sub-blocks is in use, and boot memory is. */
const inUse = (...deeds: readonly Deed[]): MachineConfiguration => ({
  ...machineOf(...deeds),
  zone: "kernel",
  before: [
    { do: "allocate", units: 2, as: "rest", pinned: true },
    resize(2),
    { do: "allocate", units: 1, as: "ring", pinned: true },
    { do: "allocate", units: 1, as: "tail", pinned: true },
    { do: "free", as: "ring" },
  ],
});

/** A device that answers BUSY for ever. */
const busy = (rules: readonly string[]) =>
  searchMachine({ ...machineOf({ do: "resize", to: 2 }), rules }, (system) => {
    system.reset();
    system.machine.vmm.devices[0]!.migrating = true;
    return runFairly(system);
  });

describe("what never comes about", LONG, () => {
  it("is told of a device that answers BUSY for ever", async () => {
    expect(await busy([])).toMatchObject({ violation: VIOLATION.ENDLESS, atRest: true });
  });

  it("is told of a device that rests with another size than it was asked for", () => {
    const system = new MachineSystem(machineOf({ do: "resize", to: 2 }));
    system.reset();
    expect(runFairly(system).path.length).toBeGreaterThan(0);
    system.machine.vmm.devices[0]!.words[2] = 0;
    expect(runFairly(system).violation).toBe(VIOLATION.UNMET);
  });

  it("is no mistake where only some rules count", async () => {
    expect(await busy(["I1"])).toMatchObject({ violation: 0, atRest: true });
  });

  it("is no mistake of a driver whose memory is in use and has nowhere to go: it asks nobody", async () => {
    const machine = machineOf(
      { do: "allocate", units: 32, as: "kernel", pinned: true },
      { do: "resize", to: 2 },
      { do: "allocate", units: 2, as: "heap" },
      { do: "resize", to: 0 },
    );
    await searchMachine(machine, (system) => {
      system.reset();
      expect(runFairly(system)).toMatchObject({ violation: 0, atRest: true });
      expect(system.machine.vmm.devices[0]!.pluggedSize).toBe(4 * 2 ** 20);
    });
  });

  it("is no mistake of a driver of whose memory each piece is in use and cannot be moved", async () => {
    await searchMachine(inUse(resize(1), resize(0)), (system) => {
      system.reset();
      const { violation, roundFrom } = runFairly(system);
      expect([violation, roundFrom !== undefined]).toEqual([0, true]);
      // The free one has gone, and the other waits.
      expect(system.machine.vmm.devices[0]!.pluggedSize).toBe(2 * 2 ** 20);
    });
  });

  it("is told of a driver that waits though a piece of its memory is free", async () => {
    await searchMachine(inUse(resize(0)), (system) => {
      system.reset();
      // It has forgotten of both what they are, and finds nothing to ask for.
      const { words, states, counts } = system.machine.kernel.virtioMem[0]!;
      counts.fill(0);
      expect([words[VM.NEXT_BLOCK], states.length]).toEqual([1026, 1]);
      expect(runFairly(system)).toMatchObject({ violation: VIOLATION.ENDLESS, atRest: true });
    });
  });

  it("is told of a driver that forgot UNPLUG_ALL, and shall give back what no kernel uses", async () => {
    const kexec = { ...standardConfiguration("kexec", "tide")!, rules: [PROGRESS] };
    await searchMachine(kexec, (system) => {
      system.reset();
      system.machine.kernel.virtioMem[0]!.words[VM.UNPLUG_ALL_REQUIRED] = 0;
      const { violation, roundFrom } = runFairly(system);
      expect([violation, roundFrom !== undefined]).toEqual([VIOLATION.ENDLESS, true]);
    });
  });
});
