import { IN_USE_BITS, pluggedBit } from "../../machine/facts.ts";
import type { Machine } from "../../machine/machine.ts";
import { VIRTIO_MEM_AREA } from "../../vmm/memory-map.ts";
import { TAKEN } from "../system.ts";
import { VIOLATION } from "./violations.ts";

const UNIT = 2 ** 21;
const PAGES = 512;

/** Whether the kernel uses memory of the unit that its direct map leaves out: the next access ends in a fault. */
const isUsedUnmapped = ({ kernel, uses }: Machine, unit: number): boolean =>
  (uses.of(kernel, unit) & IN_USE_BITS) !== 0 &&
  !kernel.mm.isMapped(unit * (UNIT / kernel.geometry.pageSize));

/** All memory that there is or may be, in units. */
const memoryOf = ({ config: { layout } }: Machine) =>
  [...layout.ram, ...(layout.deviceMemory === undefined ? [] : [layout.deviceMemory])].map(
    ({ start, size }) => ({
      start: Math.floor(start / UNIT),
      end: Math.ceil((start + size) / UNIT),
    }),
  );

/** What a plugged bit says that the VMM does not; a DIMM that could not be added is there, and has none. */
const lieOfPlugged = ({ kernel, vmm }: Machine, unit: number): string | undefined => {
  const bit = pluggedBit(kernel, unit);
  const plugged = vmm.pluggedAt(unit);
  if (bit === 1 && !plugged) return "its plugged bit is set, and the VMM has not plugged it";
  if (bit !== 0 || !plugged) return undefined;
  const area = vmm.map.find(unit * PAGES);
  return area >= 0 && vmm.map.kinds[area] === VIRTIO_MEM_AREA
    ? "its plugged bit is clear, and the VMM has it plugged"
    : undefined;
};

/**
 * What only a small machine can afford when nobody has anything left to do: a look at every unit, also at those that nothing changed.
 * After a step only those are looked at that it changed, and what excused one then may be over now.
 *
 * Reports to the machine's watch what breaks an invariant. @returns TAKEN, or the number of another violation
 */
export const lookAtRest = (machine: Machine): number => {
  const { watch } = machine;
  machine.checkAtRest();
  let result: number = TAKEN;
  for (const range of memoryOf(machine)) {
    watch!.checkRange(range);
    for (let unit = range.start; unit < range.end; unit++) {
      const why = lieOfPlugged(machine, unit);
      if (why !== undefined) watch!.report("I15", unit * UNIT, (unit + 1) * UNIT, why);
      if (isUsedUnmapped(machine, unit)) result = VIOLATION.UNMAPPED;
    }
  }
  return result;
};

/** Offlining whose pages have nowhere to go tries again for ever, as the kernel does. Whatever else waits waits for others. */
const NO_ROOM = "memory_block_offline:stuck";

/** Tasks have work, and none of them can go on. @returns which violation that is */
export const waitOf = (machine: Machine): number =>
  machine.tasks.actors.some(({ idle, frame }) => !idle && frame.where === NO_ROOM)
    ? VIOLATION.NO_ROOM
    : VIOLATION.DEADLOCK;
