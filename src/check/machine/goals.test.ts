import { expect, it } from "vitest";
import { BreadthFirst } from "../breadth-first.ts";
import { TAKEN } from "../system.ts";
import { checkMachine } from "./check-machine.ts";
import { standardConfiguration } from "./configurations/standard-configurations.ts";
import { GOAL_TABLES, GOALS, type GoalTable, goalsMet } from "./goals.ts";
import { searchMachine } from "./search-machine.ts";
import type { MachineSystem } from "./system.ts";

/** What no standard configuration shows under tide, and why. */
const NEVER: Partial<Record<GoalTable, readonly (readonly [why: string, names: readonly string[]])[]>> = {
  "secure EPT": [
    ["units are mapped whole, as 2 MiB", ["NL_MAPPED", "NL_BLOCKED"]],
    ["nothing is migrated to another host", ["BLOCKEDW", "PENDING_BLOCKEDW", "REMOVED", "EXPORTED_DIRTY"]],
    ["no device is assigned", ["MMIO_MAPPED", "MMIO_BLOCKED", "MMIO_PENDING"]],
  ],
  "unit of the table": [["the VMM takes nothing that is accepted", ["accepted, not plugged"]]],
  "virtio-mem block": [["an add that fails leaves nothing plugged", ["PLUGGED"]]],
  _OST: [
    ["a notification is one that Linux knows", ["UNRECOGNIZED_NOTIFY"]],
    ["ejects are not disabled", ["EJECT_NOT_SUPPORTED"]],
  ],
  refusal: [["nothing is accepted twice", ["TDG.MEM.PAGE.ACCEPT PAGE_ALREADY_ACCEPTED"]]],
};

const SEEN = [
  "secure EPT: FREE",
  "secure EPT: PENDING",
  "secure EPT: MAPPED",
  "memory block: absent",
  "memory block: offline",
  "memory block: online",
  "virtio-mem block: UNUSED",
  "virtio-mem block: MOVABLE_PARTIAL",
  "unit of the table: accepted",
  "unit of the table: unaccepted",
  "unit of the table: unaccepted, not plugged",
  "unit of the table: leaving",
  "virtio-mem answer: PLUG ACK",
  "virtio-mem answer: PLUG BUSY",
  "virtio-mem answer: UNPLUG ACK",
  "DIMM slot: empty",
  "DIMM slot: insert event",
  "DIMM slot: remove event",
  "_OST: EJECT_IN_PROGRESS",
  "_OST: DEVICE_BUSY",
];

it("goals have room in the bits of a system, and names of their own", () => {
  expect(GOALS.length).toBeLessThanOrEqual(64 * 32);
  expect(new Set(GOALS.map((goal) => goal.join())).size).toBe(GOALS.length);
});

it("what is never seen is a state or a refusal that there is", () => {
  for (const [table, reasons] of Object.entries(NEVER))
    for (const [, names] of reasons)
      for (const name of names)
        expect(GOALS.some(([in_, goal]) => in_ === table && goal === name) ? "" : name).toBe("");
  expect(Object.keys(GOAL_TABLES)).toEqual(expect.arrayContaining(Object.keys(NEVER)));
});

it("tide sees what two small configurations can show, and nothing that never comes to pass", {
  timeout: 600_000,
}, async () => {
  const checked = await Promise.all(
    ["plug-busy", "dimm-refused"].map((name) => checkMachine(standardConfiguration(name, "tide")!)),
  );
  const seen = checked.flatMap((one) => one.seen);
  expect(seen).toEqual(expect.arrayContaining(SEEN));
  const never = Object.entries(NEVER).flatMap(([table, reasons]) =>
    reasons.flatMap(([, names]) => names.map((name) => `${table}: ${name}`)),
  );
  expect(never.filter((name) => seen.includes(name))).toEqual([]);
});

it("a look at each new state sees what a look after each step sees", { timeout: 600_000 }, async () => {
  const configuration = standardConfiguration("grow-shrink", "bitmaps")!;
  await searchMachine(configuration, (system) => {
    const eager: MachineSystem = Object.create(system);
    eager.choose = (index) => {
      const result = system.choose(index);
      if (result >= TAKEN) system.meet();
      return result;
    };
    const [fresh, all] = [system, eager].map((one) => {
      system.goals.fill(0);
      const search = new BreadthFirst(one, { after: "continue" });
      search.begin();
      return goalsMet(search.run().goals);
    });
    expect(fresh).toEqual(all);
    expect(fresh).toContain("unit of the table: accepted");
  });
});

it("a second accept is seen where a design makes one", { timeout: 600_000 }, async () => {
  const { seen } = await checkMachine(standardConfiguration("by-hand", "notifier")!);
  expect(seen).toContain("refusal: TDG.MEM.PAGE.ACCEPT PAGE_ALREADY_ACCEPTED");
});
