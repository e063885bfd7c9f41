import { isPattern, type TranscriptItem, type TranscriptRow } from "../fold.ts";

/** Where a row stands in a pattern around it. */
export type Place = "first" | "between" | "last" | "only";

/** A row with the patterns around it, outermost first. */
export interface FlatRow {
  readonly row: TranscriptRow;
  readonly times: readonly number[];
  readonly places: readonly Place[];
}

const placeOf = (at: number, count: number): Place =>
  count === 1 ? "only" : at === 0 ? "first" : at === count - 1 ? "last" : "between";

/** The rows of an item in order, each with its patterns. */
export const flatRows = (item: TranscriptItem): FlatRow[] => {
  if (!isPattern(item)) return [{ row: item, times: [], places: [] }];
  const inner = item.items.flatMap(flatRows);
  return inner.map(({ row, times, places }, at) => ({
    row,
    times: [item.times, ...times],
    places: [placeOf(at, inner.length), ...places],
  }));
};

/** How often the deed of a row was done in all. */
export const timesInAll = ({ row, times }: FlatRow): number =>
  times.reduce((product, count) => product * count, row.count);

/** Who did it: the actor, and the vCPU unless the actor's name says it. */
export const whoText = ({ actor, vcpu }: TranscriptRow): string =>
  vcpu === null || actor.endsWith(`vcpu${vcpu}`) ? actor : `${actor}/${vcpu}`;
