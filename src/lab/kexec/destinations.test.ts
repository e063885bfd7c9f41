import { expect, it } from "vitest";
import { UnacceptedTable } from "../../linux/unaccepted-table.ts";
import { MIB } from "../../units.ts";
import { LabError } from "../lab-error.ts";
import { type Acceptance, judgeDestinations, kernelSegment, lastJumpAt } from "./destinations.ts";

const KERNEL = { initSize: 0x3c0_0800, preferred: 16 * MIB, alignment: 2 * MIB, lastJump: 0x4b5_1234n };
const at = (start: number, size: number) => ({ start, end: start + size });

/** Bits from 1 GiB on, 2 MiB each. */
const BASE = 1024 * MIB;
const tableOf = (unaccepted: number, plugged?: number): UnacceptedTable =>
  new UnacceptedTable(
    0x1000,
    plugged === undefined ? 1 : 2,
    BASE,
    2 * MIB,
    Uint8Array.of(unaccepted),
    plugged === undefined ? undefined : Uint8Array.of(plugged),
  );

/** Hardware has accepted everything below `end`. */
const upTo = (end: number, table: UnacceptedTable | undefined): Acceptance => ({
  table,
  rights: {
    mayTouch: (gpa) => gpa < end,
    stateName: (gpa) => (gpa < end ? "MAPPED" : "PENDING"),
    isPlugged: () => true,
  },
});
const found = (segments: Parameters<typeof judgeDestinations>[0], acceptance: Acceptance) =>
  judgeDestinations(segments, 1, acceptance).map(({ invariant, range }) => ({ invariant, range }));

it("the kernel's segment is the one as long as it needs to unpack itself, in whole pages", () => {
  expect(kernelSegment([at(0, 0x1000), at(BASE, 0x3c0_1000)], KERNEL)).toBe(1);
});

it("a kexec of another kernel is refused with the sizes that were found", () => {
  expect(() => kernelSegment([at(0, 0x1000), at(BASE, 0x3c0_2000)], KERNEL)).toThrow(LabError);
  expect(() => kernelSegment([at(0, 0x1000)], KERNEL)).toThrow("expected a segment of 0x3c01000 bytes");
});

it("a decompressor counts from its start, rounded up to its alignment", () => {
  expect(lastJumpAt(KERNEL, 0x4000_0000)).toBe(0x4000_0000n + 0x3b5_1234n);
  expect(lastJumpAt(KERNEL, 0x4000_1000)).toBe(0x4020_0000n + 0x3b5_1234n);
});

it("a decompressor below the address that its kernel is linked for counts from that", () => {
  expect(lastJumpAt(KERNEL, 1 * MIB)).toBe(KERNEL.lastJump);
  expect(lastJumpAt(KERNEL, 16 * MIB)).toBe(KERNEL.lastJump);
  expect(lastJumpAt(KERNEL, 16 * MIB + 1)).toBe(KERNEL.lastJump + BigInt(2 * MIB));
});

it("destinations that are accepted break nothing", () => {
  expect(found([at(BASE - MIB, 3 * MIB), at(BASE + 6 * MIB, MIB)], upTo(2 * BASE, tableOf(0)))).toEqual([]);
  expect(found([at(BASE, MIB)], upTo(2 * BASE, undefined))).toEqual([]);
});

it("of a segment, the part in a unit that is not accepted breaks I41", () => {
  const table = tableOf(0b0000_0100);
  expect(found([at(BASE + MIB, 4 * MIB)], upTo(BASE + 4 * MIB, table))).toEqual([
    { invariant: "I41", range: { start: BASE + 4 * MIB, end: BASE + 5 * MIB } },
  ]);
});

it("it is enough that one of table and secure EPT has not accepted, and the reason says which", () => {
  const [byHardware] = judgeDestinations([at(BASE, 4096)], 1, upTo(BASE, tableOf(0)));
  expect(byHardware?.why).toContain("the secure EPT has not accepted, though the table says so");
  expect(byHardware?.why).toContain("PENDING");
  const [byTable] = judgeDestinations([at(BASE, 4096)], 1, upTo(2 * BASE, tableOf(1)));
  expect(byTable?.why).toContain("the next kernel will accept it again");
  const [both] = judgeDestinations([at(BASE, 4096)], 1, upTo(BASE, tableOf(1)));
  expect(both?.why).toContain("neither table nor secure EPT");
});

it("a unit with an unaccepted bit that is not plugged is not unaccepted by the table", () => {
  expect(found([at(BASE, 4096)], upTo(2 * BASE, tableOf(1, 0)))).toEqual([]);
  expect(found([at(BASE, 4096)], upTo(2 * BASE, tableOf(1, 1)))).toHaveLength(1);
});

it("memory outside the table's window counts as accepted by the table", () => {
  const table = tableOf(0xff);
  expect(found([at(BASE - 4096, 4096), at(BASE + 16 * MIB, 4096)], upTo(2 * BASE, table))).toEqual([]);
});

it("the reason names the segment, and which one is the kernel", () => {
  const violations = judgeDestinations([at(BASE, 4096), at(BASE + MIB, 8192)], 1, upTo(BASE, undefined));
  expect(violations.map(({ why }) => why.split(" goes ")[0])).toEqual([
    "segment 0 of kexec, 0x40000000-0x40001000,",
    "segment 1 of kexec (the kernel), 0x40100000-0x40102000,",
  ]);
});
