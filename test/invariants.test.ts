import fc from "fast-check";
import { expect, it } from "vitest";
import { SEPT_FREE, SEPT_MAPPED, SEPT_PENDING } from "../src/abi/tdx/sept-entry.ts";
import { clearBit, setBit } from "../src/flat/bitmap.ts";
import { USE } from "../src/linux/mem-map.ts";
import { boot } from "../src/machine/boot.ts";
import { INVARIANTS } from "../src/machine/invariants/table.ts";
import { isSound, UNIT_RULES } from "../src/machine/invariants/unit-rules.ts";
import { Machine } from "../src/machine/machine.ts";
import { watchedOf } from "../src/machine/watched.ts";
import { Actions, Names } from "../src/scenario/model/model-actions.ts";
import { machineConfigOf } from "../src/scenario/model/model-config.ts";
import type { Action, Scenario } from "../src/scenario/scenario.ts";
import { load, loadBundled, playInModel } from "./model-machine.ts";

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

it("a unit that is found sound at one look breaks none of the rules, whatever was changed around it", () => {
  const { machine } = booted(loadBundled("virtio-mem-replug"));
  const facts = watchedOf(machine);
  const { td, kernel } = machine;
  const { table, mm } = kernel;
  const [first, last] = [4 * 2 ** 9 - 6, 4 * 2 ** 9 + 6];
  const change = fc.record({
    unit: fc.integer({ min: first, max: last }),
    state: fc.constantFrom(undefined, SEPT_FREE, SEPT_PENDING, SEPT_MAPPED),
    use: fc.constantFrom(undefined, ...Object.values(USE)),
    page: fc.nat(511),
    order: fc.constantFrom(0, 3, 9),
    bit: fc.constantFrom(undefined, true, false),
  });
  type Change = typeof change extends fc.Arbitrary<infer C> ? C : never;
  let sound = 0;
  const run = (changes: readonly Change[]): void => {
    for (const { unit, state, use, page, order, bit } of changes) {
      td.sept.walk((unit << 21) >>> 0, unit >>> 11, 1);
      if (state !== undefined && td.sept.level === 1 && td.sept.isLeafHere()) td.sept.setState(state);
      const index = mm.indexOf(unit * 512);
      if (use !== undefined && index >= 0) mm.setBlock(index + page - (page % 2 ** order), order, use);
      const n = unit - table!.physBase / table!.unitSize;
      if (bit !== undefined && n >= 0) (bit ? setBit : clearBit)(table!.unaccepted, n);
    }
    for (let unit = first - 2; unit < last + 2; unit++) {
      if (!isSound(facts, unit)) continue;
      sound++;
      for (const { id, broken } of UNIT_RULES)
        expect([id, unit, broken(facts, unit)]).toEqual([id, unit, undefined]);
    }
  };
  fc.assert(fc.property(fc.array(change, { maxLength: 4 }), run), { numRuns: 300 });
  expect(sound).toBeGreaterThan(100);
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

it.each(["tdx", "snp"])(
  "hot-plugged memory that a driver shares breaks no rule while it is shared, on %s",
  async (platform) => {
    const scenario = loadBundled("hazards/H17-leaked-conversion", [
      ...[`platform=${platform}`, "faults=[]", "vmm.pageRelease=false"],
    ]);
    const shared = scenario.steps.findIndex(({ kind }) => kind === "share");
    const { report } = await playInModel({ ...scenario, steps: scenario.steps.slice(0, shared + 1) });
    expect(report.violations).toEqual([]);
  },
);

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
