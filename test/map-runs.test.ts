import { expect, it } from "vitest";
import { BLOCK } from "../src/linux/memory-block.ts";
import { boot } from "../src/machine/boot.ts";
import { pluggedBit, septStateName, unacceptedBit } from "../src/machine/facts.ts";
import { Machine } from "../src/machine/machine.ts";
import { mapRunsOf } from "../src/scenario/model/map-runs.ts";
import { Actions, Names } from "../src/scenario/model/model-actions.ts";
import { machineConfigOf } from "../src/scenario/model/model-config.ts";
import type { Action } from "../src/scenario/scenario.ts";
import type { MapRun } from "../src/scenario/world.ts";
import { loadBundled } from "./model-machine.ts";

const UNIT = 2 ** 21;
const PAGE = 4096;

const bit = (value: number): 0 | 1 | null => (value < 0 ? null : value === 0 ? 0 : 1);

/** The facts of one page, asked one by one. */
const factsOf = ({ td, vmm, kernel }: Machine, at: number) => {
  const unit = Math.floor(at / UNIT);
  return {
    plugged: vmm.pluggedFrame(at / PAGE),
    accepted: septStateName(td, at) === "MAPPED",
    sept: septStateName(td, at),
    unacceptedBit: bit(unacceptedBit(kernel, unit)),
    pluggedBit: bit(pluggedBit(kernel, unit)),
    online: kernel.blocks.stateOf(kernel.blocks.blockOf(at)) === BLOCK.ONLINE,
  };
};

/** Places to look at: the ends of each run, and the first page of every unit. */
const placesOf = ({ start, end }: MapRun): number[] => {
  const units = Array.from({ length: Math.floor((end - start) / UNIT) }, (_, n) => start + n * UNIT);
  return [...units, end - PAGE];
};

/** Checks every run. @returns how many there are */
const expectTrue = (machine: Machine): number => {
  const runs = mapRunsOf(machine);
  for (const run of runs) {
    const { start, end: _end, owner: _owner, use, ...facts } = run;
    const told = JSON.stringify(facts);
    const places = placesOf(run);
    const lies = places.filter((at) => JSON.stringify(factsOf(machine, at)) !== told);
    expect(lies.map((at) => at.toString(16))).toEqual([]);
    const uses = new Set(places.map((at) => machine.kernel.mm.useAt(at / PAGE)));
    expect([start, use === "allocated" ? 1 : uses.size]).toEqual([start, 1]);
  }
  return runs.length;
};

it.each([
  ["virtio-mem-replug", []],
  ["virtio-mem-replug", ["vmm.augSize=4K"]],
  ["dimm-replug", []],
  ["real-srat", []],
])(
  "a run of the memory map of %s %j tells of all its pages what each would tell alone",
  (name, overrides) => {
    const scenario = loadBundled(name, overrides);
    const machine = new Machine(machineConfigOf(scenario));
    boot(machine);
    const actions = new Actions(machine, new Names());
    let runs = expectTrue(machine);
    for (const step of scenario.steps) {
      if (["boot", "expect", "note", "wait"].includes(step.kind)) continue;
      actions.perform(step as Action);
      runs += expectTrue(machine);
    }
    expect(runs).toBeGreaterThan(10);
  },
);
