import { expect, it } from "vitest";
import { GIB, MIB } from "../../units.ts";
import { bootLayout } from "../boot/boot-layout.ts";
import { bootMemory } from "../boot/boot-memory.ts";
import { ERRNO } from "../errno.ts";
import { USE } from "../mem-map.ts";
import { brokenAllocatorRules } from "../testing/allocator-rules.ts";
import { fakeKernel, newTask, run } from "../testing/fake-kernel.ts";
import { allocPages, freePages } from "./alloc.ts";
import { allocContigRange, freeContigRange } from "./contig-range.ts";
import { GFP } from "./gfp.ts";
import {
  ISOLATE,
  offlineIsolatedPages,
  startIsolatePageRange,
  testPagesIsolated,
  undoIsolatePageRange,
} from "./isolation.ts";
import { migrateRange } from "./migrate.ts";
import { acceptPage } from "./unaccepted-list.ts";
import { ZONE } from "./zones.ts";

const BASE = 4 * GIB;
const PFN = BASE / 4096;
const BLOCK = 512;

/** 256 MiB at 4 GiB, all of it on the unaccepted list, or all accepted. */
const booted = (unaccepted: boolean) => {
  const ram = { start: BASE, end: BASE + 256 * MIB };
  const boot = bootLayout([ram], { early: [], hugePages: false });
  const fake = fakeKernel({
    top: ram.end,
    boot,
    unaccepted: { window: ram, ranges: unaccepted ? [ram] : [] },
  });
  run(fake.k, bootMemory);
  return fake;
};

it("the odd pageblock of an unaccepted chunk cannot be taken: it bears no mark, so nothing accepts it", () => {
  const fake = booted(true);
  const { k, hw } = fake;
  expect(run(k, allocContigRange, PFN + BLOCK, BLOCK)).toBe(ERRNO.EBUSY);
  expect(hw.accepts).toBe(0);
  expect(k.zones.isolatedPageblocks[ZONE.NORMAL]).toBe(0);
  // The even one heads the chunk: all of it is accepted, three units with the guard. Then the odd one works.
  expect(run(k, allocContigRange, PFN, BLOCK)).toBe(0);
  expect(hw.accepts).toBe(3);
  expect(run(k, allocContigRange, PFN + BLOCK, BLOCK)).toBe(0);
  expect(hw.accepts).toBe(3);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it("isolating a whole block first accepts every chunk on the list in it", () => {
  const fake = booted(true);
  const { k, hw } = fake;
  const n = (128 * MIB) / 4096;
  expect(run(k, startIsolatePageRange, PFN, n)).toBe(0);
  // 64 units, and the first unit of the next chunk as guard.
  expect(hw.accepts).toBe(65);
  expect(testPagesIsolated(k, PFN, n)).toBe(true);
  expect(k.zones.free[ZONE.NORMAL]).toBe(32768);
  expect(offlineIsolatedPages(k, PFN, n)).toBe(n);
  expect(k.zones.managed[ZONE.NORMAL]).toBe(32768);
  expect(k.mm.useAt(PFN)).toBe(USE.OFFLINE);
});

it("an unmovable page keeps its pageblock from being isolated, and nothing stays isolated", () => {
  const { k } = booted(false);
  const pfn = run(k, allocPages, 0, 0, 0, 1);
  const start = pfn - (pfn % BLOCK) - 2 * BLOCK;
  expect(run(k, startIsolatePageRange, Math.max(PFN, start), 8 * BLOCK)).toBe(ERRNO.EBUSY);
  expect(k.zones.isolatedPageblocks[ZONE.NORMAL]).toBe(0);
  expect(k.zones.free[ZONE.NORMAL]).toBe(65536 - 1);
});

it("offline pages are an obstacle to a contiguous allocation, not to offlining", () => {
  const { k } = booted(false);
  expect(run(k, allocContigRange, PFN, BLOCK)).toBe(0);
  k.mm.setPages(PFN, BLOCK, USE.FAKE_OFFLINE);
  expect(run(k, allocContigRange, PFN, 2 * BLOCK)).toBe(ERRNO.EBUSY);
  expect(run(k, startIsolatePageRange, PFN, 2 * BLOCK, ISOLATE.OFFLINE)).toBe(0);
  expect(testPagesIsolated(k, PFN, 2 * BLOCK)).toBe(true);
  // Only the pages that were in the allocator stop being managed.
  expect(offlineIsolatedPages(k, PFN, 2 * BLOCK)).toBe(BLOCK);
});

it("a range that somebody isolated already is busy, and stays isolated", () => {
  const { k } = booted(false);
  expect(run(k, startIsolatePageRange, PFN + 4 * BLOCK, BLOCK)).toBe(0);
  expect(run(k, startIsolatePageRange, PFN, 8 * BLOCK)).toBe(ERRNO.EBUSY);
  expect(k.zones.isolatedPageblocks[ZONE.NORMAL]).toBe(1);
  undoIsolatePageRange(k, PFN, 8 * BLOCK);
  expect(k.zones.isolatedPageblocks[ZONE.NORMAL]).toBe(0);
});

it("movable pages leave an isolated range with their owner, and the range comes back whole", () => {
  const fake = booted(false);
  const { k } = fake;
  const pfn = run(k, allocPages, 9, GFP.MOVABLE, 0, 77);
  expect(run(k, allocContigRange, pfn, BLOCK)).toBe(0);
  const owned = [...k.mm.use.keys()].filter((index) => k.mm.owners.of(index) === 77).length;
  expect(owned).toBe(BLOCK);
  expect(k.mm.owners.of(k.mm.indexOf(pfn))).toBe(0);
  expect(k.zones.movable[ZONE.NORMAL]).toBe(BLOCK);
  freeContigRange(k, pfn, BLOCK);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it("migration without memory to go to answers -ENOMEM and loses nothing", () => {
  const { k } = booted(false);
  for (let owner = 1; run(k, allocPages, 9, GFP.MOVABLE | GFP.NO_WATERMARKS, 0, owner) >= 0; ) owner++;
  const before = k.zones.movable[ZONE.NORMAL];
  expect(run(k, startIsolatePageRange, PFN, BLOCK)).toBe(0);
  expect(run(k, migrateRange, PFN, BLOCK)).toBe(ERRNO.ENOMEM);
  expect(k.zones.movable[ZONE.NORMAL]).toBe(before);
});

it("reserved pages and holes keep a pageblock from being isolated, in ZONE_MOVABLE too", () => {
  const { k } = booted(false);
  for (const use of [USE.RESERVED, USE.MEMMAP, USE.HOLE]) {
    for (const type of [ZONE.NORMAL, ZONE.MOVABLE]) {
      expect(run(k, allocContigRange, PFN, BLOCK)).toBe(0);
      const block = k.mm.indexOf(PFN) / BLOCK;
      k.mm.setPages(PFN + 5, 1, use);
      k.mm.zone[block] = type;
      expect(run(k, startIsolatePageRange, PFN, BLOCK)).toBe(ERRNO.EBUSY);
      k.mm.zone[block] = ZONE.NORMAL;
      freeContigRange(k, PFN, BLOCK);
    }
  }
});

it("an unmovable page of ZONE_MOVABLE is found by migration, not by isolation", () => {
  const { k } = booted(false);
  const pfn = run(k, allocPages, 9, 0, 0, 1);
  k.mm.zone[k.mm.indexOf(pfn) / BLOCK] = ZONE.MOVABLE;
  expect(run(k, startIsolatePageRange, pfn, BLOCK)).toBe(0);
  expect(run(k, migrateRange, pfn, BLOCK)).toBe(ERRNO.EBUSY);
});

it("a block that its owner frees while memory for it is accepted is not migrated, and nothing leaks", () => {
  const fake = booted(true);
  const { k } = fake;
  const pfn = run(k, allocPages, 9, GFP.MOVABLE, 0, 7);
  // A second one leaves 1024 accepted pages, of which the next allocation may not count 511: it will accept.
  run(k, allocPages, 9, 0, 0, 8);
  expect(run(k, startIsolatePageRange, pfn, BLOCK)).toBe(0);
  const f = newTask();
  f.start(migrateRange, pfn, BLOCK);
  for (let steps = 0; !f.where.startsWith("tdx_accept_memory"); steps++) {
    expect(steps).toBeLessThan(50);
    f.step(k);
  }
  freePages(k, pfn, 9);
  while (!f.idle) f.step(k);
  expect(f.result).toBe(0);
  expect(k.zones.movable[ZONE.NORMAL]).toBe(0);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it("of two that accept one chunk at once the second finds it gone", () => {
  const fake = booted(true);
  const { k } = fake;
  const tasks = [newTask(0, 0), newTask(1, 0)] as const;
  for (const f of tasks) f.start(acceptPage, k.mm.indexOf(PFN));
  tasks[0].step(k);
  tasks[1].step(k);
  expect([tasks[1].idle, tasks[1].result]).toEqual([true, 0]);
  while (!tasks[0].idle) tasks[0].step(k);
  expect(tasks[0].result).toBe(1);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});
