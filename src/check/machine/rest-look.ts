import { IN_USE_BITS, pluggedBit } from "../../machine/facts.ts";
import type { Machine } from "../../machine/machine.ts";
import { TAKEN } from "../system.ts";
import { VIOLATION } from "./violations.ts";

const UNIT = 2 ** 21;

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

/**
 * What only a small machine can afford when nobody has anything left to do: a look at every unit, also at those that nothing changed.
 * After a step only those are looked at that it changed, and what excused one then may be over now.
 *
 * Reports to the machine's watch what breaks an invariant. @returns TAKEN, or the number of another violation
 */
export const lookAtRest = (machine: Machine): number => {
  const { watch, vmm, kernel } = machine;
  machine.checkAtRest();
  let result: number = TAKEN;
  for (const range of memoryOf(machine)) {
    watch!.checkRange(range);
    for (let unit = range.start; unit < range.end; unit++) {
      if (pluggedBit(kernel, unit) === 1 && !vmm.pluggedAt(unit)) {
        const why = "its plugged bit is set, and the VMM has not plugged it";
        watch!.report("I15", unit * UNIT, (unit + 1) * UNIT, why);
      }
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
