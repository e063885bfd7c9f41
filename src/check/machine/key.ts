import type { Machine } from "../../machine/machine.ts";
import type { CellArray } from "./cells.ts";
import { type Footprint, wordsOf } from "./footprint.ts";
import type { Programs } from "./programs.ts";

/** Memory that only tells of the past or of time, or that is empty between steps: it is neither saved nor compared. */
const historyOf = ({
  scheduler,
  counts,
  tally,
  injector,
  uses,
  platform,
  vmm,
  kernel,
}: Machine): readonly ArrayBufferView[] => [
  scheduler.clocks,
  scheduler.blockedAt,
  scheduler.words,
  scheduler.prng.state,
  ...counts.views(),
  tally.words,
  ...uses.views(),
  platform.pages.sept.changed.units,
  ...[vmm.changedUnits, kernel.mm.dirty].flatMap((ranges) => ranges.views()),
  ...(kernel.table?.dirty.views() ?? []),
  ...(injector === undefined
    ? []
    : [injector.points.seen, injector.points.firstStep, injector.points.lastStep]),
];

/** Memory that is saved, for the code relies on it, but follows from the rest of the state or is only looked at by rules. */
const impliedOf = ({ scheduler, cpus }: Machine): readonly ArrayBufferView[] => [
  scheduler.active,
  scheduler.activeCount,
  scheduler.timers,
  ...cpus.observer.views(),
];

/** Memory of the past and of time. */
export const historyBuffers = (machine: Machine): ReadonlySet<ArrayBufferLike> =>
  buffersOf(historyOf(machine));

const buffersOf = (views: readonly ArrayBufferView[]): ReadonlySet<ArrayBufferLike> =>
  new Set(views.map(({ buffer }) => buffer));

/** What of a machine is saved, and what of that tells states from one another. */
export const cellArraysOf = (machine: Machine, programs: Programs, footprint: Footprint): CellArray[] => {
  const history = historyBuffers(machine);
  const implied = buffersOf(impliedOf(machine));
  const arrays: CellArray[] = [];
  for (const [buffer, places] of footprint)
    if (!history.has(buffer))
      arrays.push({ words: wordsOf(buffer), places, inKey: () => !implied.has(buffer) });
  arrays.push({
    words: wordsOf(programs.places.buffer),
    places: [...programs.places.keys()],
    inKey: () => true,
  });
  return arrays;
};
