import { assert } from "../../../assert.ts";
import type { Machine } from "../../../machine/machine.ts";
import type { Arena } from "./arena.ts";
import type { CellLines } from "./cells.ts";
import { footprintLines, type Knowledge, linesOf } from "./footprint.ts";
import { gatesOf, groupsOf } from "./gates.ts";

/** Memory that only tells of the past or of time, that is made anew, or that is empty between steps: it is neither saved nor compared. */
export const historyOf = ({
  scheduler,
  counts,
  tally,
  stalls,
  injector,
  uses,
  platform,
  vmm,
  kernel,
}: Machine): readonly ArrayBufferView[] => [
  scheduler.clocks,
  scheduler.blockedAt,
  scheduler.words,
  scheduler.active,
  scheduler.activeCount,
  scheduler.prng.state,
  ...counts.views(),
  tally.words,
  ...stalls.views(),
  ...uses.views(),
  platform.pages.sept.changed.units,
  ...[vmm.changedUnits, kernel.mm.dirty].flatMap((ranges) => ranges.views()),
  ...(kernel.table?.dirty.views() ?? []),
  ...(injector === undefined
    ? []
    : [injector.points.seen, injector.points.firstStep, injector.points.lastStep]),
];

/** Memory that is saved, for the code relies on it, but follows from the rest of the state or is only looked at by rules. */
const impliedOf = ({ scheduler, cpus, watch }: Machine): readonly ArrayBufferView[] => [
  scheduler.timers,
  ...cpus.observer.views(),
  ...(watch?.views() ?? []),
];

/** Pieces of an arena in which some views lie. */
const piecesOf = (arena: Arena, views: readonly ArrayBufferView[]): ReadonlySet<number> => {
  const pieces = new Set(views.map((view) => arena.pieceOf(view)));
  assert(!pieces.has(-1), "all memory of a machine lies in its arena");
  return pieces;
};

/** What of a machine's memory a search saves, and what it leaves alone. */
export interface Places extends CellLines {
  /** Lines that no step may change: all but those that are saved, and those of the past and of time. */
  readonly untouched: readonly number[];
}

/**
 * What of a machine is saved, and what of that tells states from one another.
 *
 * @param apart lines of the arena that can be told in a way of their own, and left out of the key then
 * @param aside see gatesOf
 */
export const placesOf = (
  machine: Machine,
  arena: Arena,
  knowledge: Knowledge,
  apart: ReadonlySet<number> = new Set(),
  aside: readonly ArrayBufferView[] = [],
): Places => {
  const history = piecesOf(arena, historyOf(machine));
  const implied = piecesOf(arena, impliedOf(machine));
  const pieceOf = linesOf(arena, () => true).map((line) => arena.pieceOfLine(line));
  const footprint = footprintLines(arena, knowledge).filter((line) => !history.has(pieceOf[line]!));
  const groupOf = groupsOf(machine, arena, footprint);
  const lines = [...footprint].sort((a, b) => groupOf.get(a)! - groupOf.get(b)! || a - b);
  const saved = new Set(lines);
  return {
    lines,
    inKey: lines.map((line) => !implied.has(pieceOf[line]!)),
    apart: lines.map((line) => apart.has(line)),
    gates: gatesOf(machine, arena, lines, groupOf, aside),
    untouched: linesOf(arena, (piece) => !history.has(piece)).filter((line) => !saved.has(line)),
  };
};
