import { expect, it } from "vitest";
import { GIB, MIB } from "../../units.ts";
import { loadScenario } from "../load.ts";
import { FakeWorld } from "../testing/fake-world.ts";
import { MACHINE } from "../testing/play-text.ts";
import type { Counter, DeviceState, Fate, MapRun, MemoryBlocks, Outcome, Violation } from "../world.ts";
import { playBoth } from "./lockstep.ts";
import type { LockstepReport } from "./lockstep-report.ts";
import { lockstepSchema } from "./lockstep-schema.ts";

const STEPS = `steps:
  - boot
  - resize: {device: vm0, to: 256M}
  - note: half
  - allocate: {name: heap, size: 512M}
`;

const playWith = (linux: FakeWorld, rest = STEPS): Promise<LockstepReport> => {
  const scenario = loadScenario(MACHINE + rest, {
    file: "sample.yaml",
    designs: ["none"],
    readBytes: () => new Uint8Array(),
  });
  return playBoth(scenario, { model: new FakeWorld(), linux }, { version: "test" });
};

const differencesIn = async (linux: FakeWorld, rest = STEPS) =>
  (await playWith(linux, rest)).differences.map(
    ({ step, line, quantity, about, model, linux: found }) =>
      `${step}:${line} ${quantity} ${about}: ${model} | ${found}`,
  );

it("two worlds that do the same are the same, and the report follows its schema to the letter", async () => {
  const report = await playWith(new FakeWorld());
  expect([report.result, report.compared, report.differences]).toEqual(["same", 3, []]);
  expect(lockstepSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
});

it("a difference names the step, its line, the quantity and both values, and the first comes first", async () => {
  class Late extends FakeWorld {
    override devices(): DeviceState[] {
      return super.devices().map((device) => ({ ...device, plugged: Math.min(device.plugged, 128 * MIB) }));
    }
  }
  const { differences, result } = await playWith(new Late());
  expect(result).toBe("different");
  expect(differences[0]).toEqual({
    step: 2,
    line: 8,
    what: "resize vm0 to 256M",
    quantity: "plugged size",
    about: "vm0",
    bound: 0,
    model: "256M",
    linux: "128M",
  });
  expect(differences.map(({ step }) => step)).toEqual([2, 4]);
});

it("memory blocks that differ alike are named together", async () => {
  class Offline extends FakeWorld {
    override blocks(): MemoryBlocks {
      const { size, blocks } = super.blocks();
      // The device's blocks begin at 6 GiB, block 48.
      return {
        size,
        blocks: blocks.map((block) => (block.number < 48 ? block : { ...block, state: "offline" })),
      };
    }
  }
  expect(await differencesIn(new Offline())).toEqual([
    "2:8 memory block state memory48-49: online | offline",
    "4:10 memory block state memory48-49: online | offline",
  ]);
});

it("MemTotal may differ from the start, and may not grow by another size", async () => {
  class Smaller extends FakeWorld {
    lacking = 0;
    override counters(): Counter[] {
      return super.counters().map(({ name, value }) => ({
        name,
        value: name === "MemTotal" ? value - 1000 - this.lacking : value,
      }));
    }
  }
  const world = new Smaller();
  expect(await differencesIn(world)).toEqual([]);
  class Shrunk extends Smaller {
    override perform(...[action]: Parameters<FakeWorld["perform"]>): Outcome {
      if (action.kind === "resize") this.lacking = 4096;
      return super.perform(action);
    }
  }
  expect(await differencesIn(new Shrunk())).toEqual([
    "2:8 MemTotal since boot : +256M | +252M",
    "4:10 MemTotal since boot : +256M | +252M",
  ]);
});

/** The map with some of the device's memory accepted that is not. */
class Eager extends FakeWorld {
  private readonly bytes: number;
  constructor(bytes: number) {
    super();
    this.bytes = bytes;
  }
  override snapshotMap(): MapRun[] {
    return super.snapshotMap().flatMap((run) => {
      if (run.owner !== "vm0" || run.accepted || !run.plugged) return [run];
      const middle = Math.min(run.end, run.start + this.bytes);
      const accepted = { ...run, end: middle, accepted: true, unacceptedBit: 0 } as const;
      return middle === run.end ? [accepted] : [accepted, { ...run, start: middle }];
    });
  }
}

it("how much of used memory is accepted may differ by 64 MiB, and no more", async () => {
  const steps = "steps:\n  - boot\n  - resize: {device: vm0, to: 256M}\n";
  expect(await differencesIn(new Eager(64 * MIB), steps)).toEqual([]);
  expect(await differencesIn(new Eager(66 * MIB), steps)).toEqual(["2:8 accepted memory vm0: 0 | 66M"]);
});

it("with several nodes it is the scheduler's, unless the scenario names the node", async () => {
  const used = (node: string) =>
    `  nodes: 2\nsteps:\n  - boot\n  - resize: {device: vm0, to: 256M}\n  - allocate: {name: heap, size: 16M${node}}\n`;
  expect(await differencesIn(new Eager(128 * MIB), used(""))).toEqual([]);
  expect(await differencesIn(new Eager(128 * MIB), used(", node: 0"))).toHaveLength(2);
});

it("once a machine is dead nothing is compared but how both end", async () => {
  const dying = "steps:\n  - boot\n  - touch: {gpa: 7G}\n  - resize: {device: vm0, to: 256M}\n";
  expect((await playWith(new FakeWorld(), dying)).compared).toBe(1);
  class Immortal extends FakeWorld {
    override fate(): Fate {
      const fate = super.fate();
      return fate.state === "killed" ? { state: "running", why: "" } : fate;
    }
    override violations(): Violation[] {
      return [];
    }
  }
  expect(await differencesIn(new Immortal(), dying)).toEqual([
    "null:null machine : killed | running",
    "null:null broken invariants : I1 | none",
    "null:null verdict : broken | failed",
  ]);
});

it("what a world cannot see broken is no difference", async () => {
  class Blind extends FakeWorld {
    readonly invariants: ReadonlySet<string> = new Set(["I2"]);
    override violations(): Violation[] {
      return [];
    }
  }
  const dying = "steps:\n  - boot\n  - touch: {gpa: 7G}\ninvariants: {broken: [I1]}\n";
  expect(await differencesIn(new Blind(), dying)).toEqual([]);
  const undeclared = "steps:\n  - boot\n  - touch: {gpa: 7G}\n  - expect: {status: TD_KILLED}\n";
  const { worlds, differences } = await playWith(new Blind(), undeclared);
  expect([worlds.model.verdict, worlds.linux.verdict, differences]).toEqual(["broken", "held", []]);
});

it("an expectation that only one world is asked is no difference, and one that both are asked is", async () => {
  class Reticent extends FakeWorld {
    readonly untold = { driverBlocks: true, pageUse: true, idle: true, pluggedBits: () => [] };
    override snapshotMap(): MapRun[] {
      return super.snapshotMap().map((run) => (run.online ? { ...run, use: "unknown" } : run));
    }
  }
  const wrong = (fact: string) =>
    `steps:\n  - boot\n  - resize: {device: vm0, to: 6M}\nexpect: {range: {at: 6G, ${fact}}}\n`;
  const { worlds, differences } = await playWith(new Reticent(), wrong("use: fake-offline"));
  expect([worlds.model.verdict, worlds.linux.verdict, differences]).toEqual(["failed", "held", []]);
  class Unplugged extends Reticent {
    override snapshotMap(): MapRun[] {
      return super.snapshotMap().map((run) => ({ ...run, plugged: false }));
    }
  }
  expect(await differencesIn(new Unplugged(), wrong("plugged: true"))).toContain(
    "null:null verdict : held | failed",
  );
});

it("a device that still shrinks in one world is not compared", async () => {
  const steps = `steps:
  - boot
  - resize: {device: vm0, to: 256M}
  - resize: {device: vm0, to: 128M}
`;
  class Slow extends FakeWorld {
    private held = 0;
    override perform(...[action]: Parameters<FakeWorld["perform"]>): Outcome {
      this.held = action.kind === "resize" && action.to === 128 * MIB ? 32 * MIB : 0;
      return super.perform(action);
    }
    override devices(): DeviceState[] {
      return super.devices().map((device) => ({ ...device, plugged: device.plugged + this.held }));
    }
  }
  expect(await differencesIn(new Slow(), steps)).toEqual([]);
});

it("lines of /proc/iomem are compared where memory comes and goes, and only there", async () => {
  class Named extends FakeWorld {
    override iomem(): string[] {
      return [
        "00001000-0009ffff : System RAM",
        `${(7 * GIB).toString(16)}-1cfffffff : System RAM (virtio_mem)`,
      ];
    }
  }
  const steps = "steps:\n  - boot\n";
  expect(await differencesIn(new Named(), steps)).toEqual([
    "1:7 System RAM of /proc/iomem 0x1c0000000-0x1cfffffff: no such line | System RAM (virtio_mem)",
  ]);
});

it("a difference that goes away by itself is none", async () => {
  /** The device's memory shows up a while after the step. */
  class Slow extends FakeWorld {
    readonly wavers = true;
    waited = 0;
    override elapse(untilNs: number): "timer" | "until" {
      this.waited++;
      super.elapse(Math.min(untilNs, this.now() + 1e9));
      return "timer";
    }
    override devices(): DeviceState[] {
      const late = (device: DeviceState): DeviceState => ({
        ...device,
        plugged: this.waited < 3 ? 0 : device.plugged,
      });
      return super.devices().map(late);
    }
  }
  const world = new Slow();
  expect(await differencesIn(world)).toEqual([]);
  expect(world.waited).toBe(3);
});

it("where a crash kernel lies is not compared", async () => {
  class Elsewhere extends FakeWorld {
    private crashed = false;
    override perform(...[action]: Parameters<FakeWorld["perform"]>): Outcome {
      this.crashed ||= action.kind === "crash";
      return super.perform(action);
    }
    override blocks(): MemoryBlocks {
      const { size, blocks } = super.blocks();
      return { size, blocks: this.crashed ? blocks.slice(1) : blocks };
    }
  }
  expect(await differencesIn(new Elsewhere(), "steps:\n  - boot\n  - crash\n")).toEqual([]);
});

/** From one step on it has accepted all boot memory, and has a share of its free memory. */
class Greedy extends FakeWorld {
  private readonly from: string;
  private readonly share: number;
  private came = false;
  constructor(from: string, share: number) {
    super();
    this.from = from;
    this.share = share;
  }
  override perform(...[action]: Parameters<FakeWorld["perform"]>): Outcome {
    this.came ||= action.kind === this.from;
    return super.perform(action);
  }
  override snapshotMap(): MapRun[] {
    const accepted = (run: MapRun): MapRun => (run.owner === "RAM" ? { ...run, unacceptedBit: 0 } : run);
    return super.snapshotMap().map((run) => (this.came ? accepted(run) : run));
  }
  override counters(): Counter[] {
    const share = this.came ? this.share : 1;
    return super
      .counters()
      .map(({ name, value }) => ({ name, value: name === "MemFree" ? value * share : value }));
  }
}

it("what kernels that were short of memory have left is compared, unless the step started them", async () => {
  const quantitiesAfter = async (step: string): Promise<string[]> => {
    const scenario = loadScenario(`${MACHINE}steps:\n  - boot\n  - ${step}\n`, {
      file: "sample.yaml",
      designs: ["none"],
      readBytes: () => new Uint8Array(),
    });
    const [kind = ""] = step.split(":");
    const worlds = { model: new Greedy(kind, 1), linux: new Greedy(kind, 0.5) };
    const { differences } = await playBoth(scenario, worlds, { version: "test" });
    return differences.map(({ quantity }) => quantity);
  };
  expect(await quantitiesAfter("allocate: {name: heap, size: 64M}")).toEqual([
    "accepted and free memory after the kernel was short of it",
  ]);
  expect(await quantitiesAfter("kexec")).toEqual([]);
});
