import type { BitRun } from "./expectation.ts";
import type { Bitmaps, MapRun } from "./world.ts";

/** Facts of space that no run of the map covers: no memory, though the kernel's bitmaps may reach over it. */
const NO_MEMORY: Omit<MapRun, "start" | "end"> = {
  owner: "",
  plugged: false,
  accepted: false,
  sept: "FREE",
  unacceptedBit: null,
  pluggedBit: null,
  online: false,
  use: "none",
};

/** The runs of [start, end), cut to it, with what the bitmaps say of the space between them. */
export const coverRange = (
  map: readonly MapRun[],
  bitmaps: Bitmaps | null,
  start: number,
  end: number,
): MapRun[] => {
  const runs: MapRun[] = [];
  let at = start;
  for (const run of map) {
    if (run.end <= at) continue;
    if (run.start >= end) break;
    if (run.start > at) runs.push(...emptyRuns(bitmaps, at, run.start));
    runs.push({ ...run, start: Math.max(run.start, at), end: Math.min(run.end, end) });
    at = Math.min(run.end, end);
  }
  return at < end ? [...runs, ...emptyRuns(bitmaps, at, end)] : runs;
};

/** Space without memory, cut where a bit changes. */
const emptyRuns = (bitmaps: Bitmaps | null, start: number, end: number): MapRun[] => {
  if (bitmaps === null) return [{ ...NO_MEMORY, start, end }];
  const { physBase, unitSize, sizeBytes, unaccepted, plugged } = bitmaps;
  const addressOf = (bit: number): number => physBase + bit * unitSize;
  const windowEnd = addressOf(sizeBytes * 8);
  const edges = [...unaccepted, ...(plugged ?? [])].flatMap(({ first, count }) => [first, first + count]);
  const cuts = [physBase, windowEnd, ...edges.map(addressOf)].filter((cut) => start < cut && cut < end);
  const bounds = [...new Set([start, ...cuts, end])].sort((a, b) => a - b);
  return bounds.slice(0, -1).map((from, i) => {
    const inWindow = physBase <= from && from < windowEnd;
    const bit = Math.floor((from - physBase) / unitSize);
    return {
      ...NO_MEMORY,
      start: from,
      end: bounds[i + 1]!,
      unacceptedBit: inWindow ? bitAt(unaccepted, bit) : null,
      pluggedBit: inWindow && plugged !== null ? bitAt(plugged, bit) : null,
    };
  });
};

const bitAt = (runs: readonly BitRun[], bit: number): 0 | 1 =>
  runs.some(({ first, count }) => first <= bit && bit < first + count) ? 1 : 0;
