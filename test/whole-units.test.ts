import { expect, it } from "vitest";
import type { Kernel } from "../src/linux/kernel.ts";
import { boot } from "../src/machine/boot.ts";
import type { HandOver } from "../src/machine/hand-over.ts";
import { Machine } from "../src/machine/machine.ts";
import type { TraceEvent } from "../src/machine/trace.ts";
import { machineConfigOf } from "../src/scenario/model/model-config.ts";
import { saveVmm } from "../src/vmm/snapshot.ts";
import { load } from "./model-machine.ts";

const SCENARIO = `
name: firmware
machine: {memory: 5G, maxmem: 6G, virtioMem: [{id: vm0, size: 1G}]}
guest: {kernel: 7.3, design: bitmaps}
steps: [boot]
`;

/** A machine whose guest accepts each page by a call of its own, firmware's too. */
class OneByOne extends Machine {
  override setKernel(kernel: Kernel, given: HandOver): void {
    const { acceptUnits: _, ...hw } = kernel.hw;
    super.setKernel({ ...kernel, hw }, given);
  }
}

const booted = (Kind: typeof Machine, overrides: readonly string[]) => {
  const machine = new Kind(machineConfigOf(load(SCENARIO, overrides)));
  const events: TraceEvent[] = [];
  let units = 0;
  machine.trace.raw = (event) => {
    events.push({ ...event });
  };
  const tookSteps = machine.scheduler.tookSteps.bind(machine.scheduler);
  machine.scheduler.tookSteps = (steps) => {
    units += (steps + 1) / 3;
    tookSteps(steps);
  };
  expect(boot(machine)).toEqual({ booted: true, why: "" });
  return { machine, events, units };
};

it.each([
  [[], 1000],
  [["machine.vcpus=3"], 1000],
  [["machine.firmware.unaccepted=none"], 2000],
])(
  "units that firmware accepts at once leave what accepts one by one leave, with %j",
  (overrides, atLeast) => {
    const quick = booted(Machine, overrides);
    const slow = booted(OneByOne, overrides);
    expect(slow.units).toBe(0);
    expect(quick.units).toBeGreaterThanOrEqual(atLeast);
    expect(JSON.stringify(quick.events) === JSON.stringify(slow.events)).toBe(true);
    const [a, b] = [quick.machine, slow.machine];
    expect(a.module.save()).toEqual(b.module.save());
    expect(saveVmm(a.vmm)).toEqual(saveVmm(b.vmm));
    expect(a.scheduler.clocks).toEqual(b.scheduler.clocks);
    expect(a.scheduler.prng.state).toEqual(b.scheduler.prng.state);
    expect([a.scheduler.steps, a.scheduler.now]).toEqual([b.scheduler.steps, b.scheduler.now]);
    for (let vcpu = 0; vcpu < a.config.vcpus; vcpu++) {
      expect(a.cpus.regs(vcpu)).toEqual(b.cpus.regs(vcpu));
      expect(a.td.exitRegs(vcpu)).toEqual(b.td.exitRegs(vcpu));
    }
    expect(Buffer.compare(a.kernel.mm.use, b.kernel.mm.use)).toBe(0);
    expect(a.counts).toEqual(b.counts);
  },
);
