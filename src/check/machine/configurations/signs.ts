import { systemRam } from "../../../linux/kexec/system-ram.ts";
import { USE } from "../../../linux/mem-map.ts";
import { BLOCK } from "../../../linux/memory-block.ts";
import { UNACCEPTED_MEMORY_LOCK } from "../../../linux/unaccepted-memory.ts";
import { VM } from "../../../linux/virtio-mem/driver.ts";
import { ACCEPTED, acceptedOf, pluggedBit, unacceptedBit, useBit } from "../../../machine/facts.ts";
import { lieOfBits } from "../../../machine/invariants/jump-rules.ts";
import type { Machine } from "../../../machine/machine.ts";
import { memoryOf } from "../../../machine/watched.ts";
import { UNIT } from "./placement.ts";

/** Something that breaks no rule, and is looked for where a configuration names it among its rules. */
export interface Sign {
  readonly id: string;
  readonly says: string;
  /** Whether it shows in the current state, after a step. */
  readonly shows: (machine: Machine) => boolean;
}

/** Uses of memory that somebody has. */
const TAKEN_BITS = useBit(USE.ALLOCATED) | useBit(USE.MOVABLE) | useBit(USE.MEMMAP);

/** Whether a task runs a procedure of this name, as the last of its calls, below one of another name. */
const isInside = ({ tasks }: Machine, top: string, below: string): boolean =>
  tasks.actors.some(({ idle, frame }) => {
    if (idle || !frame.where.startsWith(`${top}:`)) return false;
    return frame.backtrace().some((call) => call.startsWith(`${below}:`));
  });

/** Whether somebody has memory of a device. */
const isUsed = ({ kernel, uses, vmm }: Machine, device: number): boolean => {
  const { addr, regionSize } = vmm.devices[device]!;
  for (let unit = Math.floor(addr / UNIT); (unit + 1) * UNIT <= addr + regionSize; unit++)
    if ((uses.of(kernel, unit) & TAKEN_BITS) !== 0) return true;
  return false;
};

/**
 * Whether the kernel that reads /proc/vmcore after a crash takes a unit for RAM: its bits do not say that it waits for its accept, and the
 * VMM has it plugged, which virtio-mem asks and of a DIMM nobody has to. It has the table, and nothing else of the kernel that crashed:
 * not which units were about to leave.
 *
 * @source Linux drivers/firmware/efi/unaccepted_memory.c, drivers/virtio/virtio_mem.c: their pfn_is_ram callbacks
 */
const isDumped = ({ kernel, vmm }: Machine, unit: number): boolean =>
  (!kernel.variant.readersAskForUnaccepted ||
    unacceptedBit(kernel, unit) !== 1 ||
    pluggedBit(kernel, unit) === 0) &&
  vmm.pluggedAt(unit);

/**
 * Whether a dump of [start, end) bytes touches private memory that hardware has not accepted. The ELF headers list what was RAM when a
 * memory block went online or offline last, so memory of an online block is among it.
 */
const isReadUnaccepted = (machine: Machine, start: number, end: number): boolean => {
  const { kernel, platform } = machine;
  for (let unit = Math.ceil(start / UNIT); (unit + 1) * UNIT <= end; unit++)
    if (
      acceptedOf(platform.pages, unit) !== ACCEPTED.ALL &&
      isDumped(machine, unit) &&
      kernel.blocks.stateOf(kernel.blocks.blockOf(unit * UNIT)) === BLOCK.ONLINE &&
      !kernel.shared.has(unit * UNIT)
    )
      return true;
  return false;
};

/** A CPU that has interrupts off hears that it is to stop once it has them on again. An NMI comes only after a second. */
const stopsAnywhere = ({ kernel }: Machine): boolean => kernel.cpus.irqsOff.every((task) => task === 0);

const tellsLies = (machine: Machine): boolean => {
  for (const { start, end } of memoryOf(machine.vmm))
    for (let unit = start; unit < end; unit++) if (lieOfBits(machine, unit) !== undefined) return true;
  return false;
};

/** @source RFCv2 "Support memory hotplug/unplug for TDX CoCo guests", 2026-06-23, and its review; Linux mm/page_isolation.c */
export const SIGNS = [
  {
    id: "busy",
    says: "a driver waits before it asks for an unplug again, and nobody uses memory of its device",
    shows: (machine: Machine) =>
      machine.scheduler.activeCount[0] === 0 &&
      machine.kernel.virtioMem.some(
        ({ words }, device) => words[VM.TIMER_MS] !== 0 && !isUsed(machine, device),
      ),
  },
  {
    id: "accept first",
    says: "memory that leaves is accepted before it does",
    shows: (machine: Machine) => isInside(machine, "tdx_accept_memory", "start_isolate_page_range"),
  },
  {
    id: "spinlock",
    says: "memory is released while a spinlock is held",
    shows: (machine: Machine) =>
      !machine.kernel.locks.isFree(UNACCEPTED_MEMORY_LOCK) &&
      isInside(machine, "tdx_release_memory", "tdx_release_memory"),
  },
  {
    id: "kexec",
    says: "a kernel that is started at this moment finds bits that hardware belies",
    shows: (machine: Machine) => stopsAnywhere(machine) && tellsLies(machine),
  },
  {
    id: "crash",
    says: "a kernel that dumps memory after a crash at this moment reads what is not accepted",
    shows: (machine: Machine) =>
      systemRam(machine.kernel.iomem).some(({ start, end }) => isReadUnaccepted(machine, start, end)),
  },
] as const satisfies readonly Sign[];

export type SignId = (typeof SIGNS)[number]["id"];
