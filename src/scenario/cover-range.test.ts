import { expect, it } from "vitest";
import { coverRange } from "./cover-range.ts";
import type { Bitmaps, MapRun } from "./world.ts";

const run = (start: number, end: number, plugged = true): MapRun => ({
  start,
  end,
  owner: "RAM",
  plugged,
  accepted: true,
  sept: "MAPPED",
  unacceptedBit: 0,
  pluggedBit: 1,
  online: true,
  use: "free",
});

/** 16 bits of 10 bytes from address 100 on: bits 0 and 1 plugged, 2 to 5 unaccepted. */
const bitmaps: Bitmaps = {
  version: 2,
  physBase: 100,
  unitSize: 10,
  sizeBytes: 2,
  tableBytes: 28,
  unaccepted: [{ first: 2, count: 4 }],
  plugged: [{ first: 0, count: 2 }],
};

const shown = (runs: readonly MapRun[]): string[] =>
  runs.map(
    ({ start, end, owner, plugged, unacceptedBit, pluggedBit }) =>
      `${start}-${end} ${owner || "nothing"} ${plugged} ${unacceptedBit} ${pluggedBit}`,
  );

it("cuts runs to the range and leaves out those that only touch it", () => {
  const map = [run(0, 50), run(50, 60, false), run(60, 90), run(90, 99, false)];
  expect(shown(coverRange(map, null, 60, 90))).toEqual(["60-90 RAM true 0 1"]);
  expect(shown(coverRange(map, null, 55, 61))).toEqual(["55-60 RAM false 0 1", "60-61 RAM true 0 1"]);
});

it("fills the space between runs, before them and behind them", () => {
  expect(shown(coverRange([run(10, 20), run(30, 40)], null, 5, 45))).toEqual([
    "5-10 nothing false null null",
    "10-20 RAM true 0 1",
    "20-30 nothing false null null",
    "30-40 RAM true 0 1",
    "40-45 nothing false null null",
  ]);
});

it("asks the bitmaps about space without memory, bit by bit, inside their window only", () => {
  expect(shown(coverRange([], bitmaps, 90, 280))).toEqual([
    "90-100 nothing false null null",
    "100-120 nothing false 0 1",
    "120-160 nothing false 1 0",
    "160-260 nothing false 0 0",
    "260-280 nothing false null null",
  ]);
  expect(shown(coverRange([], { ...bitmaps, plugged: null }, 115, 125))).toEqual([
    "115-120 nothing false 0 null",
    "120-125 nothing false 1 null",
  ]);
});
