import fc from "fast-check";
import { expect, it } from "vitest";
import type { MapPicture } from "../report.ts";
import type { MapRun } from "../world.ts";
import { cellBytes, holds, regionsOf, shares } from "./map-cells.ts";

const run = (start: number, end: number, facts: Partial<MapRun> = {}): MapRun => ({
  start,
  end,
  owner: "RAM",
  plugged: true,
  accepted: true,
  sept: "MAPPED",
  unacceptedBit: 0,
  pluggedBit: null,
  online: true,
  use: "free",
  ...facts,
});

const picture = (...runs: MapRun[]): MapPicture => ({ label: "", ns: 0, runs, leftOut: 0 });

it("joins the runs of one owner into regions, over both pictures", () => {
  const before = picture(run(0, 10), run(10, 20, { accepted: false }), run(50, 60));
  const after = picture(run(0, 30), run(40, 45, { owner: "d0" }));
  expect(regionsOf([before, after])).toEqual([
    { owner: "RAM", start: 0, end: 30 },
    { owner: "d0", start: 40, end: 45 },
    { owner: "RAM", start: 50, end: 60 },
  ]);
});

it("chooses cells of a power of two so that they fit", () => {
  const gib = 2 ** 30;
  expect(cellBytes({ owner: "", start: 0, end: gib }, 64)).toBe(2 ** 24);
  expect(cellBytes({ owner: "", start: 0, end: gib }, 10_000)).toBe(2 ** 21);
  expect(cellBytes({ owner: "", start: 0, end: 8192 }, 64)).toBe(4096);
});

it("says what share of each cell has a fact", () => {
  const region = { owner: "RAM", start: 100, end: 135 };
  const seen = picture(run(100, 105, { accepted: false }), run(105, 120), run(120, 135, { accepted: false }));
  expect([...shares(seen, region, 10, "accepted")]).toEqual([0.5, 1, 0, 0]);
  expect([...shares(seen, region, 10, "plugged")]).toEqual([1, 1, 1, 1]);
});

it("loses no byte, however runs and cells lie", () => {
  const lengths = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.boolean()), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 40 }), (parts, cell) => {
      let at = 0;
      const runs = parts.map(([length, accepted]) => run(at, (at += length), { accepted }));
      const cells = shares(picture(...runs), { owner: "RAM", start: 0, end: at }, cell, "accepted");
      const bytes = cells.reduce(
        (sum, share, i) => sum + share * (Math.min(at, (i + 1) * cell) - i * cell),
        0,
      );
      const wanted = runs
        .filter(({ accepted }) => accepted)
        .reduce((sum, { start, end }) => sum + end - start, 0);
      expect(bytes).toBeCloseTo(wanted, 6);
    }),
  );
});

it("sees where hardware, belief and use contradict one another", () => {
  const odd: Partial<MapRun>[] = [
    { plugged: false },
    { plugged: false, accepted: false, sept: "FREE", unacceptedBit: 1, pluggedBit: 1, use: "offline" },
    { accepted: false, sept: "PENDING", unacceptedBit: 1, use: "allocated" },
    { accepted: false, sept: "PENDING", unacceptedBit: 0 },
    { unacceptedBit: 1 },
  ];
  expect(odd.map((facts) => holds("at odds", run(0, 1, facts)))).toEqual(odd.map(() => true));
  const fine: Partial<MapRun>[] = [
    {},
    { use: "allocated" },
    { accepted: false, sept: "PENDING", unacceptedBit: 1, use: "unaccepted" },
    { plugged: false, accepted: false, sept: "FREE", online: false, use: "none", unacceptedBit: 1 },
    { unacceptedBit: null },
  ];
  expect(fine.map((facts) => holds("at odds", run(0, 1, facts)))).toEqual(fine.map(() => false));
});
