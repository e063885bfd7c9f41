import { TDH } from "../src/abi/tdx/leaves.ts";
import { newRegs, RAX, RCX, setHalves, setNumber } from "../src/abi/tdx/regs.ts";
import { Frame, TASK_WORDS } from "../src/flat/procedure.ts";
import { tdxAcceptMemory } from "../src/linux/coco/tdx-accept.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../src/linux/kernel.ts";
import { addTables, createTd, framesFrom, tdrOf } from "../src/tdx-module/create-td.ts";
import { TdxModule } from "../src/tdx-module/module.ts";
import { seamcall } from "../src/tdx-module/seamcall.ts";
import type { Td } from "../src/tdx-module/td.ts";
import { tdcall } from "../src/tdx-module/tdcall.ts";
import { figure, heading, median, millions, processorSeconds } from "./stopwatch.ts";

const GIB = 2 ** 30;
const ACCEPT = 6;
const PAGE = { "4K": 4096, "2M": 2 ** 21 } as const;

interface Rig {
  readonly module: TdxModule;
  readonly td: Td;
  readonly takeFrame: () => number;
}

const rig = (hostBytes: number): Rig => {
  const module = new TdxModule({ tdmrs: [{ base: 0, size: hostBytes, reserved: [] }] });
  const takeFrame = framesFrom(GIB / 4096);
  return { module, td: createTd(module, { takeFrame, gpaw: 52 }), takeFrame };
};

/** Maps [0, bytes) with pages of one size, all PENDING. Host pages start at 4 GiB. */
const augAhead = ({ module, td, takeFrame }: Rig, bytes: number, size: keyof typeof PAGE): void => {
  const regs = newRegs();
  const level = size === "2M" ? 1 : 0;
  const tdr = tdrOf(td);
  for (let gpa = 0; gpa < bytes; gpa += PAGE[size]) {
    if (gpa % (level === 0 ? 2 ** 21 : GIB) === 0) addTables(module, td, gpa, level, takeFrame);
    setNumber(regs, RAX, TDH["TDH.MEM.PAGE.AUG"]);
    setNumber(regs, RCX, gpa + level);
    setNumber(regs, 2, tdr);
    setNumber(regs, 8, 4 * GIB + gpa);
    if (seamcall(module, regs) !== 0) throw new Error(`AUG at 0x${gpa.toString(16)}`);
  }
};

/** Accepts the first `pages` pages, one after another. @returns how many were refused */
const acceptPages = ({ module, td }: Rig, pages: number, size: keyof typeof PAGE): number => {
  const regs = newRegs();
  const level = size === "2M" ? 1 : 0;
  const shift = Math.log2(PAGE[size]);
  let refused = 0;
  for (let page = 0; page < pages; page++) {
    // By halves, as registers are kept: an address as a number may be an object to V8, by the luck of what it inlines.
    setHalves(regs, RAX, ACCEPT, 0);
    setHalves(regs, RCX, (page << shift) | level, page >>> (32 - shift));
    if (tdcall(module, td, 0, regs) !== 0) refused++;
  }
  return refused;
};

/** Accepts [0, bytes) by registers. What making the rig left behind is collected before. @returns calls a second */
const acceptAll = (made: Rig, bytes: number, size: keyof typeof PAGE): number => {
  const pages = bytes / PAGE[size];
  globalThis.gc?.();
  let refused = 0;
  const time = processorSeconds(() => {
    refused = acceptPages(made, pages, size);
  });
  if (refused > 0) throw new Error(`${refused} accepts were refused`);
  return pages / time;
};

heading("TDG.MEM.PAGE.ACCEPT through registers, one core");
for (const [size, bytes] of [
  ["4K", 16 * GIB],
  ["2M", 4096 * GIB],
] as const) {
  const rates: number[] = [];
  for (let run = 0; run < 5; run++) {
    const fresh = rig(bytes + 64 * GIB);
    augAhead(fresh, bytes, size);
    rates.push(acceptAll(fresh, bytes, size));
  }
  figure(`accept of ${bytes / PAGE[size]} ${size} pages`, millions(median(rates)), "goal: 20 M/s");
}

/** The kernel's tdx_accept_memory() over a module whose pages are there: the path of an eager boot. */
const kernelAccepts = (bytes: number): { time: number; calls: number } => {
  const { module, td, ...rest } = rig(bytes + 8 * GIB);
  augAhead({ module, td, ...rest }, bytes, "4K");
  const regs = newRegs();
  let calls = 0;
  const hw = {
    regs: () => regs,
    tdcall: (vcpu: number) => {
      calls++;
      return tdcall(module, td, vcpu, regs);
    },
  };
  const k = { hw } as unknown as Kernel;
  const task = new Frame(KERNEL_PROCEDURES, new Float64Array(TASK_WORDS), 0, 0);
  task.start(tdxAcceptMemory, 0, bytes);
  const time = processorSeconds(() => {
    while (!task.idle) task.step(k);
  });
  if (task.result !== 1) throw new Error("the kernel's accept loop failed");
  return { time, calls };
};

heading("eager accept of 64 GiB in 4 KiB pages, the kernel's loop step by step");
const { time, calls } = kernelAccepts(64 * GIB);
figure("64 GiB, 16.8 M pages", `${time.toFixed(2)} s`, "goal: 2 s");
figure("TDCALLs on the way, refused sizes included", String(calls));
