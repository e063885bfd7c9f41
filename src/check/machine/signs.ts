import { USE } from "../../linux/mem-map.ts";
import { UNACCEPTED_MEMORY_LOCK } from "../../linux/unaccepted-memory.ts";
import { VM } from "../../linux/virtio-mem/driver.ts";
import { useBit } from "../../machine/facts.ts";
import type { Machine } from "../../machine/machine.ts";
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
] as const satisfies readonly Sign[];

export type SignId = (typeof SIGNS)[number]["id"];
