import type { MapPicture } from "../report.ts";
import type { MapRun } from "../world.ts";

/** What a map shows of each cell, in the order memory passes through it. */
export const FACTS = ["plugged", "accepted", "online", "in use", "at odds"] as const;
export type Fact = (typeof FACTS)[number];

const isUsed = ({ use }: MapRun): boolean => use === "allocated" || use === "memmap" || use === "reserved";

/** Hardware truth, the kernel's belief and the use of this memory contradict one another. */
const isAtOdds = (run: MapRun): boolean =>
  (!run.plugged && (run.accepted || run.pluggedBit === 1)) ||
  (isUsed(run) && !run.accepted) ||
  (run.plugged && run.unacceptedBit === (run.accepted ? 1 : 0) && run.online);

const HOLDS: { readonly [fact in Fact]: (run: MapRun) => boolean } = {
  plugged: ({ plugged }) => plugged,
  accepted: ({ accepted }) => accepted,
  online: ({ online }) => online,
  "in use": isUsed,
  "at odds": isAtOdds,
};

export const holds = (fact: Fact, run: MapRun): boolean => HOLDS[fact](run);

/** A stretch of memory of one owner without holes. */
export interface Region {
  readonly owner: string;
  readonly start: number;
  readonly end: number;
}

/** The regions that any of the pictures shows, ascending. Memory that comes or goes has its place in all. */
export const regionsOf = (pictures: readonly MapPicture[]): Region[] => {
  const byOwner = new Map<string, MapRun[]>();
  for (const { runs } of pictures) {
    for (const run of runs) {
      const list = byOwner.get(run.owner);
      if (list === undefined) byOwner.set(run.owner, [run]);
      else list.push(run);
    }
  }
  const regions: Region[] = [];
  for (const [owner, runs] of byOwner) {
    let open: { owner: string; start: number; end: number } | undefined;
    for (const { start, end } of runs.toSorted((a, b) => a.start - b.start)) {
      if (open !== undefined && start <= open.end) open.end = Math.max(open.end, end);
      else regions.push((open = { owner, start, end }));
    }
  }
  return regions.sort((a, b) => a.start - b.start);
};

const SMALLEST_CELL = 2 ** 12;
const UNIT = 2 ** 21;

/** Bytes of one cell so that a region takes at most `most` cells: a power of two, a unit if that fits. */
export const cellBytes = ({ start, end }: Region, most: number): number => {
  let bytes = end - start >= UNIT ? UNIT : SMALLEST_CELL;
  while ((end - start) / bytes > most) bytes *= 2;
  return bytes;
};

/** For each cell of a region, the share of it for which a fact holds: 0 to 1. */
export const shares = (picture: MapPicture, region: Region, bytes: number, fact: Fact): Float64Array => {
  const cells = new Float64Array(Math.ceil((region.end - region.start) / bytes));
  for (const run of picture.runs) {
    const start = Math.max(run.start, region.start);
    const end = Math.min(run.end, region.end);
    if (start >= end || run.owner !== region.owner || !holds(fact, run)) continue;
    const first = Math.floor((start - region.start) / bytes);
    const last = Math.ceil((end - region.start) / bytes);
    for (let i = first; i < last; i++) {
      const cellStart = region.start + i * bytes;
      const cellEnd = Math.min(cellStart + bytes, region.end);
      cells[i]! += (Math.min(end, cellEnd) - Math.max(start, cellStart)) / (cellEnd - cellStart);
    }
  }
  return cells;
};
