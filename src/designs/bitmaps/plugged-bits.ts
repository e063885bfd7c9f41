import { ERRNO } from "../../linux/errno.ts";
import type { Kernel } from "../../linux/kernel.ts";
import type { UnacceptedTable } from "../../linux/unaccepted-table.ts";

/** Whether a range is whole units inside the window: what every bitmap operation of the series asks for. */
export const inWindow = (table: UnacceptedTable, start: number, size: number): boolean =>
  start % table.unitSize === 0 &&
  size % table.unitSize === 0 &&
  start >= table.physBase &&
  start + size <= table.end;

/**
 * Sets or clears the plugged bits of [start, start + size) bytes.
 *
 * @returns 0, also when there is no table; -EINVAL, nothing changed, when the range is not whole units of the window
 * @source RFCv2 "Support memory hotplug/unplug for TDX CoCo guests", patch 4
 */
export const setPlugged = (k: Kernel, start: number, size: number, plugged: boolean): number => {
  const { table } = k;
  if (table?.plugged === undefined) return 0;
  if (!inWindow(table, start, size)) return ERRNO.EINVAL;
  const first = (start - table.physBase) / table.unitSize;
  const end = first + size / table.unitSize;
  table.markPlugged(first, end, plugged);
  return 0;
};
