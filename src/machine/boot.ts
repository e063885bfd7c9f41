import type { Procedure } from "../flat/procedure.ts";
import { bootMemoryEarly, bootMemoryLate } from "../linux/boot/boot-memory.ts";
import { deferredInitNode } from "../linux/boot/free-boot-memory.ts";
import { smpInit } from "../linux/boot/smp-init.ts";
import { isDone } from "../linux/coco/platform.ts";
import { KERNEL_PROCEDURES, type Kernel, panic } from "../linux/kernel.ts";
import { blockSizeLine } from "../linux/memory-hotplug/block-size.ts";
import { addBootBlocks } from "../linux/memory-hotplug/boot-blocks.ts";
import { virtioMemProbe } from "../linux/virtio-mem/probe.ts";
import { GIB } from "../units.ts";
import { scanDimms } from "./acpi-work.ts";
import { fillIomem } from "./boot-iomem.ts";
import { COST } from "./cost.ts";
import { buildKernel } from "./guest.ts";
import { firmwareMap, type HandOver, handOver } from "./hand-over.ts";
import { Watch } from "./invariants/watch.ts";
import type { Machine } from "./machine.ts";
import { RMP_STATES } from "./rmp-states.ts";
import { watchedOf } from "./watched.ts";

/** How a boot ended. */
export interface BootOutcome {
  readonly booted: boolean;
  /** What stopped it; empty if nothing did. */
  readonly why: string;
}

const firmwareAccept = KERNEL_PROCEDURES.declare("accept ranges", {
  args: ["start", "end", "early"],
  locals: [],
  steps: ["accept", "accepted"],
});

/** Accepts a range before the kernel proper, as firmware does, or (early) as the stub does; a refusal is fatal. */
export const acceptRange: Procedure<Kernel> = firmwareAccept.define({
  accept: (k, f) => {
    const { v, at } = firmwareAccept;
    const { firmwareAccept: atFirst, earlyAccept } = k.platform;
    return f.call(f.get(v.early) !== 0 ? earlyAccept : atFirst, at.accepted, f.get(v.start), f.get(v.end));
  },
  accepted: (k, f) => (isDone(f.result) ? f.returns(0) : panic(k, k.platform.acceptPanic)),
});

/** Runs one procedure on the boot vCPU until it returns. @returns false if the machine died on the way */
export const runOnBootCpu = (
  machine: Machine,
  procedure: Procedure<Kernel>,
  a = 0,
  b = 0,
  c = 0,
): boolean => {
  machine.start(machine.tasks.threads[0]!, procedure, a, b, c);
  machine.settle();
  return machine.tasks.threads[0]!.idle && !machine.halted;
};

/** Accepts what firmware accepts: all RAM that it does not declare unaccepted. The trace has one row a range. */
const firmwareAccepts = (machine: Machine): boolean => {
  const { trace, scheduler } = machine;
  for (const { start, end, type } of firmwareMap(machine.config)) {
    if (type === "UNACCEPTED") continue;
    trace.muted = true;
    const accepted = runOnBootCpu(machine, acceptRange, start, end);
    trace.muted = false;
    if (!accepted) return false;
    const after = machine.platform.name === "snp" ? RMP_STATES.MAPPED : "MAPPED";
    trace.emit(scheduler.steps, 0, "firmware", 0, "accept", start, end, "SUCCESS", after);
  }
  return true;
};

/** Hands deferred memory to the allocator, every node's in as many parts as it has vCPUs, all at once. */
const deferredInit = (machine: Machine): void => {
  const { nodes, vcpus } = machine.config;
  const parts = Math.max(1, Math.floor(vcpus / nodes));
  for (let node = 0; node < nodes; node++)
    for (let part = 0; part < parts; part++) {
      const thread = machine.tasks.threads[(node * parts + part) % vcpus]!;
      if (!thread.idle) machine.settle();
      machine.start(thread, deferredInitNode, node, part, parts);
    }
  machine.settle();
};

const registerBlocks = (machine: Machine): void => {
  const { kernel } = machine;
  const { memory } = kernel.memblock;
  const ranges = Array.from({ length: memory.count }, (_, row) => ({
    start: memory.start[row]!,
    end: memory.end[row]!,
    node: memory.node[row]!,
  }));
  addBootBlocks(kernel, ranges);
  const { nodes, vcpus } = machine.config;
  for (let vcpu = 0; vcpu < vcpus; vcpu++) kernel.blocks.addCpuNode(Math.floor((vcpu * nodes) / vcpus));
  kernel.printk(blockSizeLine(kernel.blocks.blockSize));
};

/**
 * Boots the machine: firmware, EFI stub, kernel, drivers. Everything that has effects runs as tasks under the
 * scheduler; what lies between is bookkeeping.
 */
export const boot = (machine: Machine): BootOutcome => {
  const stubAccepts: { start: number; end: number }[] = [];
  const accept = (start: number, end: number): boolean => {
    stubAccepts.push({ start, end });
    return true;
  };
  const given: HandOver = handOver(machine.config, accept, machine.injector);
  machine.setKernel(
    buildKernel(machine, given, (text) => machine.printk(text)),
    given,
  );
  if (!firmwareAccepts(machine)) return failed(machine);
  machine.forgetFirmware();
  if (given.stub.status !== "EFI_SUCCESS") return { booted: false, why: given.stub.log.join("; ") };
  for (const { start, end } of stubAccepts)
    if (!runOnBootCpu(machine, acceptRange, start, end, 1)) return failed(machine);
  machine.watch = new Watch(watchedOf(machine));
  return bootKernel(machine, given);
};

/**
 * The kernel of a machine boots from where the decompressor jumped into it.
 *
 * @param settles whether its drivers do what they find to do, or only begin
 */
export const bootKernel = (machine: Machine, given: HandOver, settles = true): BootOutcome => {
  const { kernel } = machine;
  const watch = machine.watch!;
  machine.watchesUnits = false;
  for (const line of given.lines) machine.printk(line);
  machine.scheduler.chargeClock(0, COST.bootFixed.ns);
  if (!runOnBootCpu(machine, bootMemoryEarly)) return failed(machine);
  machine.stalls.begin();
  chargeBootOfMemory(machine);
  if (!runOnBootCpu(machine, smpInit)) return failed(machine);
  deferredInit(machine);
  if (machine.halted) return failed(machine);
  bootMemoryLate(kernel);
  registerBlocks(machine);
  fillIomem(machine, given);
  machine.watchesUnits = true;
  watch.checkAll();
  watch.forget();
  startDrivers(machine);
  if (settles) machine.settle();
  return machine.halted ? failed(machine) : { booted: true, why: "" };
};

/** Work that grows with memory however lazily it is accepted; the vCPUs share it. */
const chargeBootOfMemory = (machine: Machine): void => {
  const share = ((machine.kernel.memblock.memorySize() / GIB) * COST.bootPerGiB.ns) / machine.config.vcpus;
  for (let vcpu = 0; vcpu < machine.config.vcpus; vcpu++) machine.scheduler.chargeClock(vcpu, share);
};

/** ACPI finds the DIMMs that are there; virtio-mem drivers probe. */
const startDrivers = (machine: Machine): void => {
  const { kernel } = machine;
  scanDimms(machine);
  for (let device = 0; device < kernel.virtioMem.length; device++) virtioMemProbe(kernel, device);
  machine.interrupts.startWork();
};

export const failed = (machine: Machine): BootOutcome => ({ booted: false, why: machine.whyHalted });
