import { expect, it } from "vitest";
import { GIB, MIB } from "../../units.ts";
import { bootLayout } from "../boot/boot-layout.ts";
import { bootMemory } from "../boot/boot-memory.ts";
import type { Design } from "../design.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { USE } from "../mem-map.ts";
import { brokenAllocatorRules } from "../testing/allocator-rules.ts";
import { fakeKernel, run } from "../testing/fake-kernel.ts";
import { freePagesCore, MEMINIT } from "./free-core.ts";
import { acceptOneChunk } from "./unaccepted-list.ts";
import { movePfnRangeToZone } from "./zone-span.ts";
import { ZONE } from "./zones.ts";

const BASE = 4 * GIB;
const PFN = BASE / 4096;

/** A kernel with one empty section at 4 GiB, in ZONE_NORMAL, of which these byte ranges are unaccepted. */
const section = (
  ranges: readonly (readonly [start: number, end: number])[],
  accept: "lazy" | "eager" = "lazy",
  design?: Design,
) => {
  const fake = fakeKernel({
    top: BASE + 128 * MIB,
    accept,
    unaccepted: {
      window: { start: BASE, end: BASE + 128 * MIB },
      ranges: ranges.map(([start, end]) => ({ start: BASE + start, end: BASE + end })),
    },
    ...(design && { design }),
  });
  fake.k.mm.addSection(BASE / (128 * MIB));
  fake.k.mm.setPages(PFN, 32768, USE.OFFLINE);
  movePfnRangeToZone(fake.k, PFN, 32768, ZONE.NORMAL);
  return fake;
};
const counters = ({ zones }: Kernel) => [
  zones.managed[ZONE.NORMAL],
  zones.free[ZONE.NORMAL],
  zones.unaccepted[ZONE.NORMAL],
];

it("an accepted chunk goes straight to the buddy lists", () => {
  const { k, hw } = section([]);
  run(k, freePagesCore, PFN, 10, MEMINIT.EARLY);
  expect(counters(k)).toEqual([1024, 1024, 0]);
  expect(hw.accepts).toBe(0);
});

it("a whole chunk with an unaccepted unit waits on the list, counted as free", () => {
  const { k, hw } = section([[2 * MIB, 4 * MIB]]);
  run(k, freePagesCore, PFN, 10, MEMINIT.EARLY);
  expect(counters(k)).toEqual([1024, 1024, 1024]);
  expect(hw.accepts).toBe(0);
});

it("an accepted chunk below an unaccepted unit waits too, and its acceptance accepts the guard only", () => {
  const fake = section([[4 * MIB, 8 * MIB]]);
  const { k, hw } = fake;
  run(k, freePagesCore, PFN, 10, MEMINIT.EARLY);
  expect(counters(k)).toEqual([1024, 1024, 1024]);
  expect(run(k, acceptOneChunk, ZONE.NORMAL)).toBe(1);
  expect(counters(k)).toEqual([1024, 1024, 0]);
  expect(hw.isAccepted(BASE + 4 * MIB, BASE + 6 * MIB)).toBe(true);
  expect(hw.isAccepted(BASE + 6 * MIB, BASE + 6 * MIB + 4096)).toBe(false);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it("a piece smaller than a chunk is accepted at entry, its guard included", () => {
  const { k, hw } = section([[0, 128 * MIB]]);
  run(k, freePagesCore, PFN, 9, MEMINIT.EARLY);
  expect(counters(k)).toEqual([512, 512, 0]);
  expect(hw.accepts).toBe(2);
  expect(hw.isAccepted(BASE, BASE + 4 * MIB)).toBe(true);
});

it("eager mode accepts a whole chunk at entry", () => {
  const { k, hw } = section([[0, 128 * MIB]], "eager");
  run(k, freePagesCore, PFN, 10, MEMINIT.EARLY);
  expect(counters(k)).toEqual([1024, 1024, 0]);
  expect(hw.accepts).toBe(3);
});

it("memory outside the window counts as accepted, which is what kills a guest with hot-added memory", () => {
  const fake = fakeKernel({ top: BASE + 128 * MIB });
  fake.k.mm.addSection(BASE / (128 * MIB));
  movePfnRangeToZone(fake.k, PFN, 32768, ZONE.NORMAL);
  run(fake.k, freePagesCore, PFN, 10, MEMINIT.HOTPLUG);
  expect(fake.k.zones.free[ZONE.NORMAL]).toBe(1024);
  expect(fake.hw.accepts).toBe(0);
});

it("the onlineChunk hook runs before the contains-check, for onlining only", () => {
  const seen: string[] = [];
  const hook = KERNEL_PROCEDURES.declare("test_online_chunk", {
    args: ["start", "size"],
    locals: [],
    steps: ["enter"],
  });
  hook.define({
    enter: (k, f) => {
      seen.push(`${(f.get(hook.v.start) - BASE) / MIB}+${f.get(hook.v.size) / MIB}`);
      k.table!.unaccepted.fill(0);
      return f.returns(0);
    },
  });
  const design: Design = {
    name: "hook",
    title: "",
    tableVersion: 1,
    stubScansSrat: false,
    hooks: { onlineChunk: hook.procedure },
  };
  const { k } = section([[0, 128 * MIB]], "lazy", design);
  run(k, freePagesCore, PFN, 10, MEMINIT.EARLY);
  expect(seen).toEqual([]);
  expect(counters(k)).toEqual([1024, 1024, 1024]);
  run(k, freePagesCore, PFN + 1024, 10, MEMINIT.HOTPLUG);
  expect(seen).toEqual(["4+4"]);
  expect(counters(k)).toEqual([2048, 2048, 1024]);
});

it("boot without a table frees everything and accepts nothing", () => {
  const boot = bootLayout([{ start: BASE, end: BASE + 128 * MIB }], { early: [] });
  const fake = fakeKernel({ top: BASE + 128 * MIB, boot });
  run(fake.k, bootMemory);
  expect(counters(fake.k)).toEqual([32768, 32768, 0]);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});
