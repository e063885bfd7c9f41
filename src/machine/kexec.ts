import { runDecompressor } from "../efi-stub/decompressor.ts";
import type { Design } from "../linux/design.ts";
import { ERRNO } from "../linux/errno.ts";
import type { Kernel } from "../linux/kernel.ts";
import { copySegments, kexecShutdown } from "../linux/kexec/jump.ts";
import { KEXEC } from "../linux/kexec/kexec.ts";
import { kexecFileLoad } from "../linux/kexec/load.ts";
import { KERNEL_FROM_END } from "../linux/kexec/segments.ts";
import { readVmcore } from "../linux/kexec/vmcore.ts";
import type { Variant } from "../linux/variant.ts";
import { acceptRange, type BootOutcome, bootKernel, failed, runOnBootCpu } from "./boot.ts";
import { buildKernel } from "./guest.ts";
import { bootLines, type HandOver, intake, KERNEL_BYTES } from "./hand-over.ts";
import { judgeJump, judgeMemoryMap } from "./invariants/jump-rules.ts";
import { Watch } from "./invariants/watch.ts";
import type { Machine } from "./machine.ts";
import {
  type KexecSyscall,
  memoryMapIn,
  nextMemoryMap,
  oldMemoryOf,
  writeBootParams,
} from "./next-kernel.ts";
import { watchedOf } from "./watched.ts";

/** The kernel that is started next, where it differs from the one that runs. */
export interface NextKernel {
  readonly variant: Variant;
  readonly design: Design;
  /** A vmlinux has no decompressor, which would look at the table's version. */
  readonly image: "bzImage" | "vmlinux";
  readonly syscall: KexecSyscall;
  /** Its drivers begin what they find to do, and are left in the middle of it. */
  readonly stopsAtDrivers?: boolean;
}

/** How a kexec ended. */
export interface KexecOutcome extends BootOutcome {
  /** Errno of the load: nothing was started, and the kernel goes on. */
  readonly error: number;
}

/** Runs a procedure of a user on vCPU 0 to its end. @returns its result, or undefined if the machine died */
const load = (machine: Machine, onCrash: boolean): number | undefined => {
  const task = machine.tasks.users[0]!;
  if (!task.idle) return ERRNO.EBUSY;
  machine.start(task, kexecFileLoad, onCrash ? 1 : 0);
  machine.settle();
  return task.idle && !machine.halted ? task.frame.result : undefined;
};

/** All other CPUs stop; then memory is made private again and the segments go to their places. */
const leave = (machine: Machine): boolean => {
  const { kernel, tasks, scheduler } = machine;
  tasks.stopGuest();
  scheduler.dropIdle();
  kernel.cpus.irqsOff.fill(0);
  machine.stalls.restart();
  machine.watchesUnits = false;
  if (!runOnBootCpu(machine, kexecShutdown)) return false;
  judgeJump(machine);
  machine.jumping = true;
  const copied = runOnBootCpu(machine, copySegments);
  machine.jumping = false;
  return copied;
};

/** What the decompressor does with memory, if there is one. @returns false if the machine stops */
const decompress = (machine: Machine, next: NextKernel, bootParams: number, output: number): boolean => {
  if (next.image === "vmlinux") return true;
  const accepts: { start: number; end: number }[] = [];
  const { kexec } = machine.kernel;
  const row = kexec.count - KERNEL_FROM_END;
  const { halt } = runDecompressor(
    {
      memory: machine.handOver!.memory,
      bootParams,
      accept: (start, end) => accepts.push({ start, end }) > 0,
    },
    {
      platform: "tdx",
      tableVersion: next.design.tableVersion,
      output,
      neededSize: kexec.ends[row]! - kexec.starts[row]!,
    },
  );
  for (const { start, end } of accepts) if (!runOnBootCpu(machine, acceptRange, start, end, 1)) return false;
  if (halt !== undefined) machine.haltEarly(halt.why);
  return halt === undefined;
};

/** What the next kernel finds. The table of another version than its own is dropped without a word. */
const nextHandOver = (machine: Machine, next: NextKernel, bootParams: number, output: number): HandOver => {
  const { kernel, config } = machine;
  const given = machine.handOver!;
  const e820 = memoryMapIn(given, bootParams);
  judgeMemoryMap(machine, e820);
  const { tablePointer, table: bytes } = given.stub;
  const table = intake(tablePointer, bytes);
  const isKnown = table?.version === next.design.tableVersion;
  if (table !== undefined && !isKnown)
    machine.watch!.report(
      "I17",
      table.address,
      table.address + 24,
      `the kernel drops a table of version ${table.version}, and all that is unaccepted counts as accepted`,
    );
  return {
    ...given,
    table: isKnown ? table : undefined,
    e820,
    reservations: [{ start: output, end: output + KERNEL_BYTES, what: "Kernel" }],
    lines: bootLines(config, e820, given.tables),
    bootParams,
    oldMemory: kernel.kexec.has(KEXEC.ON_CRASH) ? oldMemoryOf(kernel) : undefined,
  };
};

/** The next kernel boots in the memory as it is. */
const enter = (machine: Machine, next: NextKernel): BootOutcome => {
  const { kernel } = machine;
  const before = machine.handOver!;
  const bootParams = writeBootParams(kernel, before, nextMemoryMap(kernel, before, next.syscall));
  const output = kernel.kexec.starts[kernel.kexec.count - KERNEL_FROM_END]!;
  if (!decompress(machine, next, bootParams, output)) return failed(machine);
  machine.config = { ...machine.config, variant: next.variant, design: next.design };
  const given = nextHandOver(machine, next, bootParams, output);
  const { violations } = machine.watch!;
  for (const mailbox of machine.vmm.mailboxes) mailbox.reset();
  machine.setKernel(
    buildKernel(machine, given, (text) => machine.printk(text)),
    given,
  );
  machine.interrupts.restart();
  machine.watch = new Watch(watchedOf(machine), violations);
  machine.watch.forget();
  return bootKernel(machine, given, next.stopsAtDrivers !== true);
};

/**
 * The running kernel loads another and starts it. Devices, secure EPT and table stay as they are.
 *
 * @returns how the next kernel's boot ended; with an error where nothing was loaded
 */
export const kexec = (machine: Machine, next: NextKernel): KexecOutcome => {
  const error = load(machine, false);
  if (error === undefined) return { ...failed(machine), error: 0 };
  if (error < 0) return { booted: false, why: "", error };
  if (!leave(machine)) return { ...failed(machine), error: 0 };
  return { ...enter(machine, next), error: 0 };
};

/** What reading all of /proc/vmcore brought, bytes. */
export interface Dump {
  readonly read: number;
  readonly zeroes: number;
}

export const dumpOf = ({ kexec: { words } }: Kernel): Dump => ({
  read: words[KEXEC.DUMP_READ]!,
  zeroes: words[KEXEC.DUMP_ZEROES]!,
});

/** The kernel loads a crash kernel and panics; the crash kernel boots and reads all of /proc/vmcore. */
export const crash = (machine: Machine): KexecOutcome => {
  const { variant, design } = machine.config;
  const error = load(machine, true);
  if (error === undefined) return { ...failed(machine), error: 0 };
  if (error < 0) return { booted: false, why: "", error };
  machine.printk("Kernel panic - not syncing: sysrq triggered crash");
  if (!leave(machine)) return { ...failed(machine), error: 0 };
  const outcome = enter(machine, { variant, design, image: "bzImage", syscall: "kexec_file_load" });
  if (!outcome.booted) return { ...outcome, error: 0 };
  return runOnBootCpu(machine, readVmcore) ? { ...outcome, error: 0 } : { ...failed(machine), error: 0 };
};
