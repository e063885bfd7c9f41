import { expect, it } from "vitest";
import { GIB, gpa, MIB } from "../../units.ts";
import { bootPieces } from "./boot-pieces.ts";

const ram = (...ranges: [number, number][]) => ranges.map(([start, size]) => ({ start: gpa(start), size }));

it("one backend lies below 4 GiB and goes on above it", () => {
  expect(bootPieces(ram([0, 2 * GIB], [4 * GIB, GIB]), [3 * GIB])).toEqual([
    { start: 0, size: 2 * GIB, node: 0, offset: 0 },
    { start: 4 * GIB, size: GIB, node: 0, offset: 2 * GIB },
  ]);
});

it("a node's memory begins where the one before ends, on either side of the hole", () => {
  expect(bootPieces(ram([0, 2 * GIB], [4 * GIB, 2 * GIB]), [GIB, 3 * GIB])).toEqual([
    { start: 0, size: GIB, node: 0, offset: 0 },
    { start: GIB, size: GIB, node: 1, offset: 0 },
    { start: 4 * GIB, size: 2 * GIB, node: 1, offset: GIB },
  ]);
  expect(bootPieces(ram([0, 512 * MIB]), [256 * MIB, 256 * MIB])).toEqual([
    { start: 0, size: 256 * MIB, node: 0, offset: 0 },
    { start: 256 * MIB, size: 256 * MIB, node: 1, offset: 0 },
  ]);
});
