import { assert } from "../../assert.ts";
import { setRange } from "../../flat/bitmap.ts";
import { BLOCKED, Frame, type Procedure, TASK_WORDS } from "../../flat/procedure.ts";
import { AcceptingList } from "../accepting-list.ts";
import { type BootLayout, type ByteRange, bootLayout } from "../boot/boot-layout.ts";
import { SharedPages } from "../coco/shared-pages.ts";
import { TDX_PLATFORM } from "../coco/tdx-platform.ts";
import type { Design } from "../design.ts";
import { type Geometry, X86_64 } from "../geometry.ts";
import { Cpus, KERNEL_PROCEDURES, type Kernel, type KernelOptions } from "../kernel.ts";
import { Kexec } from "../kexec/kexec.ts";
import { Locks } from "../locks.ts";
import { MemMap } from "../mem-map.ts";
import { Memblock } from "../memblock.ts";
import { Zones } from "../page-allocator/zones.ts";
import { UnacceptedTable } from "../unaccepted-table.ts";
import { VARIANTS, type Variant } from "../variant.ts";
import { FakeBoundary } from "./fake-boundary.ts";

/** What a test wants of its kernel; everything has a default. */
export interface FakeKernelOptions {
  readonly geometry?: Geometry;
  readonly variant?: Variant["name"];
  readonly accept?: KernelOptions["accept"];
  readonly nodes?: number;
  readonly vcpus?: number;
  readonly tasks?: number;
  readonly virtioMemDevices?: number;
  /** End of guest-physical memory, bytes. */
  readonly top: number;
  readonly boot?: BootLayout;
  /** Window of the unaccepted table and, in it, the ranges that are unaccepted at the start. Absent: no table. */
  readonly unaccepted?: { readonly window: ByteRange; readonly ranges: readonly ByteRange[] };
  readonly tableVersion?: 1 | 2;
  readonly design?: Design;
  readonly options?: Partial<KernelOptions>;
  /** Members beyond memory management (hotplug, drivers), or others in place of the fake's own. */
  readonly members?: Partial<Kernel>;
}

/** What the fake fills in itself. The other members are absent unless the test gives them. */
type MemoryKernel = Omit<Kernel, "iomem" | "firmwareMap" | "blocks" | "groups" | "virtioMem" | "acpiMemory">;

export interface FakeKernel {
  readonly k: Kernel;
  readonly hw: FakeBoundary;
  readonly log: string[];
}

const NO_DESIGN: Design = {
  name: "none",
  title: "no hooks",
  tableVersion: 1,
  stubScansSrat: false,
  hooks: {},
};

const OPTIONS: KernelOptions = {
  accept: "lazy",
  memmapOnMemory: false,
  autoOnline: "offline",
  unplugOnline: true,
  forceBbm: false,
  bbmBlockSize: 0,
};

/** Off a page boundary, as a pool allocation is; memory of its own, which costs the memmap of its section. */
const TABLE_ADDRESS = 0x7ff0_0018;

const tableOf = (options: FakeKernelOptions, unitSize: number): UnacceptedTable | undefined => {
  if (options.unaccepted === undefined) return undefined;
  const { window, ranges } = options.unaccepted;
  const bits = new Uint8Array(Math.ceil((window.end - window.start) / unitSize / 8));
  for (const { start, end } of ranges) {
    setRange(bits, (start - window.start) / unitSize, (end - window.start) / unitSize);
  }
  const version = options.tableVersion ?? 1;
  const plugged = version === 2 ? bits.slice() : undefined;
  return new UnacceptedTable(TABLE_ADDRESS, version, window.start, unitSize, bits, plugged);
};

/** Everything that the table does not call unaccepted is accepted already, as firmware leaves it. */
const acceptTheRest = (hw: FakeBoundary, options: FakeKernelOptions): void => {
  let at = 0;
  for (const { start, end } of options.unaccepted?.ranges ?? []) {
    hw.acceptAtBoot(at, start);
    at = end;
  }
  hw.acceptAtBoot(at, options.top);
};

/** A TDX guest kernel over a FakeBoundary, not booted. */
export const fakeKernel = (options: FakeKernelOptions): FakeKernel => {
  const geometry = options.geometry ?? X86_64;
  const vcpus = options.vcpus ?? 1;
  const hw = new FakeBoundary(options.top, vcpus);
  const log: string[] = [];
  acceptTheRest(hw, options);
  const parts: MemoryKernel = {
    geometry,
    variant: VARIANTS[options.variant ?? "7.3"],
    options: { ...OPTIONS, accept: options.accept ?? "lazy", ...options.options },
    hw,
    platform: TDX_PLATFORM,
    design: options.design ?? NO_DESIGN,
    mm: new MemMap(geometry, options.top),
    zones: new Zones(geometry, options.nodes ?? 1),
    memblock: new Memblock(),
    boot: options.boot ?? bootLayout([]),
    table: tableOf(options, geometry.unitSize),
    accepting: new AcceptingList(options.tasks ?? vcpus),
    shared: new SharedPages(),
    kexec: new Kexec(),
    locks: new Locks(options.virtioMemDevices ?? 0),
    cpus: new Cpus(vcpus),
    printk: (line) => log.push(line),
  };
  const k = { ...parts, ...options.members } as Kernel;
  return { k, hw, log };
};

/** A task of the kernel on a vCPU. */
export const newTask = (task = 0, vcpu = task): Frame<Kernel> =>
  new Frame(KERNEL_PROCEDURES, new Float64Array(TASK_WORDS), task, vcpu);

/**
 * Runs a procedure alone, to its end.
 *
 * @returns what it returned
 */
export const run = (k: Kernel, procedure: Procedure<Kernel>, ...args: number[]): number => {
  const f = newTask();
  f.start(procedure, ...(args as [number?, number?, number?, number?]));
  while (!f.idle) {
    const next = f.step(k);
    assert(next !== BLOCKED, `a task that runs alone goes on, but waits: ${f.backtrace().join(" > ")}`);
  }
  return f.result;
};

/** Runs tasks step by step in turns that `pick` decides, until all are idle. Returns the number of steps. */
export const interleave = (
  k: Kernel,
  tasks: readonly Frame<Kernel>[],
  pick: (runnable: number) => number,
): number => {
  let steps = 0;
  let turn = 0;
  for (let waits = 0; ; steps++) {
    const busy = tasks.filter((task) => !task.idle);
    if (busy.length === 0) return steps;
    // After a task that waits the next one has its turn, so that a stubborn choice starves nobody.
    turn = waits > 0 ? turn + 1 : pick(busy.length);
    waits = busy[turn % busy.length]!.step(k) === BLOCKED ? waits + 1 : 0;
    assert(waits <= busy.length, "some task goes on");
  }
};
