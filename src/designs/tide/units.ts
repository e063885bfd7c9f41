import { getBit } from "../../flat/bitmap.ts";
import type { UnacceptedTable } from "../../linux/unaccepted-table.ts";

/** Whole units of [start, start + size) bytes that lie in the window: the first and the end, from the window on. */
export const unitsOf = (
  table: UnacceptedTable,
  start: number,
  size: number,
): readonly [first: number, end: number] => {
  const first = Math.max(0, Math.ceil((start - table.physBase) / table.unitSize));
  const end = Math.min(table.units, Math.floor((start + size - table.physBase) / table.unitSize));
  return [first, Math.max(first, end)];
};

export const isAccepted = (table: UnacceptedTable, unit: number): boolean =>
  !getBit(table.unaccepted, unit) && getBit(table.plugged!, unit);

/**
 * Whether the unit below `unit` may be in use, so that a word read may run out of it: it is plugged and accepted, or
 * it lies below the window, of which the table says nothing.
 */
export const needsGuard = (table: UnacceptedTable, unit: number): boolean =>
  unit === 0 || isAccepted(table, unit - 1);
