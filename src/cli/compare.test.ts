import { expect, it } from "vitest";
import { comparisonSchema } from "../scenario/design-comparison-schema.ts";
import { main } from "./main.ts";
import { type FakeSystem, fakeSystem } from "./testing/fake-system.ts";
import { DESIGNS, openWorld } from "./worlds.ts";

// A device grows and its memory, which lies in the zone that users take first, is used: upstream never accepts it, so
// the TD dies of the first touch.
const GROW = `name: grow
title: A TD grows
machine: {memory: 2G, virtioMem: [{id: vm0, size: 1G}]}
guest: {design: bitmaps, autoOnline: online_movable}
vmm: {discard: both}
steps:
  - boot
  - resize: {device: vm0, to: 256M}
  - allocate: {name: heap, size: 2M, order: 9}
  - free: {name: heap}
  - resize: {device: vm0, to: 0}
  - wait: {for: {device: {id: vm0, plugged: 0}}}
`;

const compared = async (
  line: string,
  screen: { readonly terminal?: number } = {},
): Promise<FakeSystem & { status: number }> => {
  const system = fakeSystem({ "grow.yaml": GROW }, { ...screen, env: { NO_COLOR: "1" } });
  const status = await main(["compare", ...line.split(" ")], system, openWorld);
  return { ...system, status };
};

it("shows every design, and its status is 0 whatever their verdicts", async () => {
  const { status, out, err } = await compared("grow.yaml");
  expect([status, err()]).toEqual([0, ""]);
  for (const design of DESIGNS)
    expect(out()).toMatch(new RegExp(`^  ${design} +(held|broken|failed|not modelled) `, "m"));
  expect(out()).toMatch(/^ {2}none +broken +killed +I10 line 8/m);
});

it("counts what it compares", async () => {
  const heading = async (line: string) => (await compared(`grow.yaml ${line}`)).out().split("\n", 1)[0];
  expect(await heading("--designs none")).toBe("grow: A TD grows (1 design, model world, seed 1)");
  expect(await heading("--designs none,tide")).toBe("grow: A TD grows (2 designs, model world, seed 1)");
});

it("with --require its status is 1 unless those designs held", async () => {
  expect((await compared("grow.yaml --designs none --require none")).status).toBe(1);
  expect((await compared("grow.yaml --designs none --require bitmaps")).status).toBe(0);
});

it.each([40, 60, 80, 200])("fits a terminal of %i columns, whatever is compared", async (terminal) => {
  const { out } = await compared("grow.yaml", { terminal });
  const lines = out().split("\n");
  expect(lines.filter((line) => line.length > terminal)).toEqual([]);
  // Every column is there, and each part of a table that was folded names the designs again.
  for (const heading of ["verdict", "all violations", "peak VMM", "TDVMCALL", "kick", "log lines"])
    expect(out()).toContain(heading);
  const parts = lines.filter((line) => line.startsWith("  design")).length;
  expect(lines.filter((line) => /^ {2}bitmaps {2}/.test(line)).length).toBe(parts);
});

it("--json prints one document that follows its schema, with one object a design", async () => {
  const { out } = await compared("grow.yaml --designs bitmaps,none --json");
  const document = comparisonSchema.parse(JSON.parse(out()));
  const [bitmaps, none] = document.designs;
  expect([bitmaps!.design, bitmaps!.verdict, bitmaps!.fate.state]).toEqual(["bitmaps", "held", "running"]);
  expect(none!.fate.state).toBe("killed");
  expect(none!.firstViolation).toMatchObject({ invariant: "I10", line: 8 });
  // 2 GiB of RAM below 4 GiB and a window of 1 GiB behind: the table spans them, 8 units a byte.
  expect(bitmaps!.cost!.bitmapBytes).toBe(24 + 2 * bitmapBytes(2 ** 32, 2 ** 32 + 2 ** 30));
  // 128 units are plugged; each is accepted at most once, and given back once.
  expect(bitmaps!.cost!.tdcalls?.["TDG.MEM.PAGE.RELEASE"]).toBe(128);
  expect([none!.cost!.plugNs === null, none!.cost!.unplugNs]).toEqual([false, null]);
  expect(document.partings).toMatchObject([{ design: "none", against: "bitmaps" }]);
});

const bitmapBytes = (start: number, end: number): number => Math.ceil((end - start) / 2 ** 21 / 8);

it("memory accepted only to be given back is what was accepted and never written", async () => {
  const { out } = await compared("grow.yaml --designs bitmaps --json");
  const { cost } = comparisonSchema.parse(JSON.parse(out())).designs[0]!;
  // All 256 MiB are accepted by the time they go offline; 2 MiB of them were written.
  expect(cost!.acceptedForNothing).toBe((256 - 2) * 2 ** 20);
  expect(cost!.unpluggedAccepted).toBe(0);
});

it("--markdown prints tables", async () => {
  const { out } = await compared("grow.yaml --designs none,bitmaps --markdown");
  expect(out()).toContain("| design | verdict | machine | first violation | all violations |\n| --- | --- |");
  expect(out()).toMatch(/^\| bitmaps \| held \| running \| - \| - \|$/m);
});

it("equal designs do not part", async () => {
  const { out } = await compared("grow.yaml --designs bitmaps,bitmaps --json");
  const { designs, partings } = comparisonSchema.parse(JSON.parse(out()));
  expect([designs.length, partings]).toEqual([1, []]);
});

it.each([
  [
    "grow.yaml --designs bitmap",
    '--designs bitmap: expected designs, found "bitmap"; did you mean `bitmaps`?\n',
  ],
  ["grow.yaml --require nothing", '--require nothing: expected designs, found "nothing"'],
  ["grow.yaml --json --markdown", "cannot be used with"],
  ["grown.yaml", "grown.yaml: expected a scenario file, found one that is not there"],
])("%s is wrong input, told on one line", async (line, message) => {
  const { status, out, err } = await compared(line);
  expect([status, out(), err().split("\n").length]).toEqual([2, "", 2]);
  expect(err()).toContain(message);
});
