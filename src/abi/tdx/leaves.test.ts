import { expect, it } from "vitest";
import { LEAF_AND_VERSION, leafAndVersion } from "./leaf-and-version.ts";
import { TDG, TDG_NAMES, TDH, TDH_NAMES, tdgName, tdhName } from "./leaves.ts";

it("numbers the leaves of the memory model", () => {
  expect([
    TDG["TDG.VP.VMCALL"],
    TDG["TDG.MEM.PAGE.ACCEPT"],
    TDG["TDG.VM.RD"],
    TDG["TDG.MEM.PAGE.ATTR.RD"],
    TDG["TDG.MEM.PAGE.RELEASE"],
    TDH["TDH.MEM.PAGE.AUG"],
    TDH["TDH.MEM.RANGE.BLOCK"],
    TDH["TDH.MEM.PAGE.DEMOTE"],
    TDH["TDH.MEM.PAGE.REMOVE"],
    TDH["TDH.MEM.TRACK"],
    TDH["TDH.MEM.RANGE.UNBLOCK"],
    TDH["TDH.EXT.MEM.ADD"],
  ]).toEqual([0, 6, 7, 23, 30, 6, 7, 15, 29, 38, 39, 61]);
});
it("gives each number one name", () => {
  expect(TDG_NAMES.size).toBe(Object.keys(TDG).length);
  expect(TDH_NAMES.size).toBe(Object.keys(TDH).length);
});
it("names numbers, and prints those that have no name", () => {
  expect([tdgName(6), tdgName(0x63), tdhName(38), tdhName(199)]).toEqual([
    "TDG.MEM.PAGE.ACCEPT",
    "TDG 99",
    "TDH.MEM.TRACK",
    "TDH 199",
  ]);
});
it("reads leaf and version out of RAX", () => {
  const rax = LEAF_AND_VERSION.encode({ leaf: 7n, version: 1n });
  expect(rax).toBe(0x1_0007n);
  expect([leafAndVersion.leaf(0x1_0007, 0), leafAndVersion.version(0x1_0007, 0)]).toEqual([7, 1]);
  expect(leafAndVersion.reserved(0x1_0007, 0)).toBe(false);
  expect(leafAndVersion.reserved(0x0100_0006, 0)).toBe(true);
  expect(leafAndVersion.reserved(6, 0x1_0000)).toBe(true);
});
