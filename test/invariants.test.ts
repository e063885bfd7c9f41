import { expect, it } from "vitest";
import { clearBit, setBit } from "../src/flat/bitmap.ts";
import { boot } from "../src/machine/boot.ts";
import { INVARIANTS } from "../src/machine/invariants/table.ts";
import { Machine } from "../src/machine/machine.ts";
import { Actions, Names } from "../src/scenario/model/model-actions.ts";
import { machineConfigOf } from "../src/scenario/model/model-config.ts";
import type { Action, Scenario } from "../src/scenario/scenario.ts";
import { load, loadBundled } from "./model-machine.ts";

const OURS: ReadonlySet<string> = new Set(["boot", "expect", "note", "wait"]);

const actionsOf = (scenario: Scenario): Action[] =>
  scenario.steps.filter((step): step is Action => !OURS.has(step.kind));

const booted = (scenario: Scenario): { machine: Machine; actions: Actions } => {
  const machine = new Machine(machineConfigOf(scenario));
  expect(boot(machine)).toEqual({ booted: true, why: "" });
  return { machine, actions: new Actions(machine, new Names()) };
};

it.each([
  ["dimm-replug", "bitmaps"],
  ["virtio-mem-replug", "bitmaps"],
  ["worked-example", "bitmaps"],
  ["dimm-replug", "none"],
  ["dimm-replug", "tide"],
  ["virtio-mem-replug", "tide"],
  ["worked-example", "tide"],
  ["tide-no-release", "tide"],
])("%s under %s: looking at what moved finds all that looking at everything finds", (name, design) => {
  const scenario = loadBundled(name, [`guest.design=${design}`]);
  const { machine, actions } = booted(scenario);
  const watch = machine.watch!;
  for (const action of actionsOf(scenario)) {
    actions.perform(action);
    const seen = structuredClone(watch.violations.all);
    watch.checkAll();
    expect(watch.violations.all).toEqual(seen);
  }
});

const SMALL = `
name: small
machine: {memory: 3G, maxmem: 5G, virtioMem: [{id: vm0, size: 1G}]}
guest: {kernel: 7.3, design: bitmaps, autoOnline: online_movable}
steps: [boot]
`;

const brokenAfter = (deed: (machine: Machine) => void): string[] => {
  const { machine, actions } = booted(load(SMALL));
  actions.perform({ kind: "resize", device: "vm0", to: 2 ** 28, place: { file: "", line: 1, column: 1 } });
  expect(machine.watch!.violations.all).toEqual([]);
  deed(machine);
  machine.watch!.checkAll();
  machine.checkAtRest();
  return [...new Set(machine.watch!.violations.all.map(({ invariant }) => invariant))];
};

/** First unit of the device that waits on the unaccepted list, relative to the table. */
const waiting = (machine: Machine): number => {
  const table = machine.kernel.table!;
  return (machine.vmm.devices[0]!.addr - table.physBase) / table.unitSize;
};

it("a bit that is cleared without an accept breaks I5 when it happens and I8 as long as it lasts", () => {
  const broken = brokenAfter((machine) =>
    machine.kernel.table!.markAccepted(waiting(machine), waiting(machine) + 1),
  );
  expect(broken).toEqual(["I5", "I8"]);
});

it("a bit that changes behind the kernel's back breaks I8 in the full check", () => {
  expect(brokenAfter((machine) => clearBit(machine.kernel.table!.unaccepted, waiting(machine)))).toEqual([
    "I8",
  ]);
});

it("a chunk that leaves the list without an accept breaks I21", () => {
  const broken = brokenAfter((machine) => {
    const { mm } = machine.kernel;
    mm.setBlock(mm.indexOf(machine.vmm.devices[0]!.addr / 4096), 10, 0x30);
  });
  expect(broken).toContain("I21");
});

it("counters that do not add up break I19", () => {
  expect(brokenAfter((machine) => machine.kernel.zones.unaccepted.fill(1024, 3, 4))).toContain("I19");
});

it("a plugged bit that nobody plugged breaks I15, one of boot memory that is cleared I14", () => {
  const far = (machine: Machine): number => waiting(machine) + 400;
  expect(
    brokenAfter((machine) => machine.kernel.table!.markPlugged(far(machine), far(machine) + 1, true)),
  ).toEqual(["I15"]);
  expect(brokenAfter((machine) => machine.kernel.table!.markPlugged(0, 1, false))).toEqual(["I14"]);
});

it("driver and device that disagree on a sub-block break I34", () => {
  expect(brokenAfter((machine) => setBit(machine.kernel.virtioMem[0]!.plugged, 300))).toEqual(["I34"]);
});

it("the table of invariants has a row a number, in order", () => {
  expect(INVARIANTS.map(({ id }) => id)).toEqual(Array.from({ length: 42 }, (_, index) => `I${index + 1}`));
});
