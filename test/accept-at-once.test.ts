import { expect, it } from "vitest";
import type { Kernel } from "../src/linux/kernel.ts";
import { boot } from "../src/machine/boot.ts";
import type { HandOver } from "../src/machine/hand-over.ts";
import { Machine } from "../src/machine/machine.ts";
import type { TraceEvent } from "../src/machine/trace.ts";
import { machineConfigOf } from "../src/scenario/model/model-config.ts";
import { saveVmm } from "../src/vmm/snapshot.ts";
import { load } from "./model-machine.ts";

const PAGE = 2 ** 12;
const UNIT = 2 ** 21;

const SCENARIO = `
name: firmware
machine: {memory: 5G, maxmem: 6G, virtioMem: [{id: vm0, size: 1G}]}
guest: {kernel: 7.3, design: bitmaps}
steps: [boot]
`;

/** A machine whose guest accepts each page by a call of its own, firmware's too. */
class OneByOne extends Machine {
  override setKernel(kernel: Kernel, given: HandOver): void {
    const { acceptAtOnce: _, ...hw } = kernel.hw;
    super.setKernel({ ...kernel, hw }, given);
  }
}

/** A machine that counts what is accepted at once. */
class Counting extends Machine {
  readonly atOnce = { units: 0, pages: 0 };

  override setKernel(kernel: Kernel, given: HandOver): void {
    const { acceptAtOnce } = kernel.hw;
    const counted = (vcpu: number, start: number, end: number): number => {
      const reached = acceptAtOnce!(vcpu, start, end);
      if (start % UNIT === 0) this.atOnce.units += (reached - start) / UNIT;
      else this.atOnce.pages += (reached - start) / PAGE;
      return reached;
    };
    super.setKernel({ ...kernel, hw: { ...kernel.hw, acceptAtOnce: counted } }, given);
  }
}

const booted = <M extends Machine>(machine: M) => {
  // The host's first memory had other uses before.
  for (let block = 0; block < 8; block++) machine.module.pages.scramble(machine.vmm.host.frameOf(block), 512);
  const events: TraceEvent[] = [];
  machine.trace.raw = (event) => {
    events.push({ ...event });
  };
  expect(boot(machine)).toEqual({ booted: true, why: "" });
  return { machine, events };
};

/** Pages below 640 KiB and from 1 MiB to 2 MiB, without the first of each table and the last of each range. */
const LOW_PAGES = 160 - 2 + 256 - 1;

it.each([
  [[], 1000, LOW_PAGES],
  [["machine.vcpus=3"], 1000, LOW_PAGES],
  [["machine.firmware.unaccepted=none"], 2000, LOW_PAGES],
  [
    ["machine.memory=256M", "machine.maxmem=2G", "machine.firmware.unaccepted=none", "vmm.augSize=4K"],
    0,
    60_000,
  ],
])(
  "what firmware accepts at once leaves what accepts one by one leave, with %j",
  (overrides, units, pages) => {
    const config = () => machineConfigOf(load(SCENARIO, overrides));
    const quick = booted(new Counting(config()));
    const slow = booted(new OneByOne(config()));
    expect(quick.machine.atOnce.units).toBeGreaterThanOrEqual(units);
    expect(quick.machine.atOnce.pages).toBeGreaterThanOrEqual(pages);
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
