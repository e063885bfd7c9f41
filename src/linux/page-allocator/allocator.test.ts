import fc from "fast-check";
import { expect, it } from "vitest";
import { GIB, KIB, MIB } from "../../units.ts";
import { bootLayout } from "../boot/boot-layout.ts";
import { bootMemory } from "../boot/boot-memory.ts";
import { type Geometry, geometry } from "../geometry.ts";
import type { Kernel } from "../kernel.ts";
import { orderOf, USE, useOf } from "../mem-map.ts";
import { brokenAllocatorRules } from "../testing/allocator-rules.ts";
import { type FakeKernel, fakeKernel, interleave, newTask, run } from "../testing/fake-kernel.ts";
import { acceptMemory } from "../unaccepted-memory.ts";
import { allocPages, freePages } from "./alloc.ts";
import { allocContigRange, freeContigRange } from "./contig-range.ts";
import { freePagesCore, MEMINIT } from "./free-core.ts";
import { GFP, highestZone } from "./gfp.ts";
import {
  isolatePageblocks,
  offlineIsolatedPages,
  startIsolatePageRange,
  testPagesIsolated,
  undoIsolatePageRange,
} from "./isolation.ts";
import { migrateRange } from "./migrate.ts";
import { setupPerZoneWmarks } from "./watermarks.ts";
import { movePfnRangeToZone, removePfnRangeFromZone } from "./zone-span.ts";
import { ZONE, zoneNumber, zoneOf, zoneType } from "./zones.ts";

/** Pages of 4 KiB, pageblocks of 16 KiB, chunks of 64 KiB, sections of 256 KiB: 1 MiB is 256 pages. */
const SMALL = geometry(12, 2, 4, 18);
/** Pages of 2 MiB, one pageblock a chunk. */
const TINY = geometry(21, 1, 1, 23);

const RAM_BYTES: ReadonlyMap<Geometry, number> = new Map([
  [SMALL, 2 * MIB],
  [TINY, 64 * MIB],
]);
const BASE = 4 * GIB;

interface World extends FakeKernel {
  readonly ram: number;
  /** First byte and size of a range that can be onlined, unaccepted at first. */
  readonly spare: number;
  /** Frame and order of each allocation. */
  readonly held: { pfn: number; order: number; owner: number; movable: boolean }[];
  readonly contig: { pfn: number; n: number }[];
  online: boolean;
}

const booted = (g: Geometry, accept: "lazy" | "eager", variant: "6.12" | "7.3", hole: number): World => {
  const ram = RAM_BYTES.get(g)!;
  const top = BASE + ram + 2 * g.sectionSize;
  // A hole of accepted units shifts the runs of unaccepted ones against the chunks.
  const ranges = [
    { start: BASE, end: BASE + hole * g.unitSize },
    { start: BASE + (hole + 1) * g.unitSize, end: top },
  ];
  const boot = bootLayout([{ start: BASE, end: BASE + ram }], { early: [], hugePages: false });
  const unaccepted = { window: { start: BASE, end: top }, ranges };
  const kernel = fakeKernel({ geometry: g, top, boot, accept, variant, unaccepted });
  run(kernel.k, bootMemory);
  return { ...kernel, ram, spare: BASE + ram + g.sectionSize, held: [], contig: [], online: false };
};

type Command = readonly [name: string, a: number, b: number];
const pick = <T>(from: readonly T[], n: number): T | undefined => from[n % Math.max(1, from.length)];

const FLAGS = [0, GFP.MOVABLE, GFP.NO_LOCK, GFP.MOVABLE | GFP.NO_LOCK, GFP.NO_WATERMARKS, GFP.THIS_ZONE_ONLY];

/** Why an allocation may fail; "" if it may not. */
const failureExcuse = (k: Kernel, order: number, flags: number): string => {
  for (let zone = 0; zone < k.zones.count; zone++) {
    if (zoneType(zone) > highestZone(flags) || k.zones.managed[zone] === 0) continue;
    if ((flags & GFP.THIS_ZONE_ONLY) !== 0 && zoneType(zone) !== highestZone(flags)) continue;
    const blocks = [];
    for (let o = order; o <= k.geometry.maxOrder; o++)
      blocks.push(k.zones.length[k.zones.freeList(zone, o, false)]!);
    const reserve = k.zones.lowmemReserve[zone * 4 + highestZone(flags)]!;
    const low = k.zones.free[zone]! - (2 ** order - 1) <= k.zones.min[zone]! + reserve;
    const room = (flags & GFP.NO_WATERMARKS) !== 0 || !low;
    if (room && blocks.some((count) => count > 0)) return "";
    const accepted = k.zones.free[zone]! - k.zones.unaccepted[zone]!;
    const couldAccept = k.zones.unaccepted[zone]! > 0 && (flags & GFP.NO_LOCK) === 0;
    if (couldAccept && accepted - (2 ** order - 1) < k.zones.promo[zone]!) return "";
  }
  return "no zone had room";
};

const allocate = (w: World, a: number, b: number): void => {
  const { k } = w;
  const order = a % (k.geometry.maxOrder + 1);
  const flags = FLAGS[b % FLAGS.length]!;
  const owner = (b % 100) + 1;
  const before = k.mm.use.slice();
  const pfn = run(k, allocPages, order, flags, 0, owner);
  if (pfn < 0) {
    expect(failureExcuse(k, order, flags)).not.toBe("");
    return;
  }
  expect(pfn % 2 ** order).toBe(0);
  for (let page = pfn; page < pfn + 2 ** order; page++) {
    const index = k.mm.indexOf(page);
    expect([USE.FREE, USE.UNACCEPTED]).toContain(useOf(before[index]!));
    expect(k.mm.isolated[index >> k.geometry.pageblockOrder]).toBe(0);
    expect(k.mm.owners.of(index)).toBe(owner);
  }
  const zone = zoneOf(k, pfn);
  expect(zoneType(zone)).toBeLessThanOrEqual(highestZone(flags));
  // I24, to the page: the check before the allocation sees 2^order - 1 pages fewer, the allocation takes 2^order.
  // A chunk that is accepted into an isolated pageblock fills the kernel's quota without becoming allocatable.
  const plain = k.zones.isolatedPageblocks[zone] === 0 && k.zones.unaccepted[zone]! > 0;
  if (plain && (flags & GFP.NO_LOCK) === 0 && k.zones.promo[zone]! > 0) {
    expect(k.zones.free[zone]! - k.zones.unaccepted[zone]!).toBeGreaterThanOrEqual(k.zones.promo[zone]! - 1);
  }
  // Movable pages live in pieces of a pageblock at most, each of which may be moved on its own.
  const movable = (flags & GFP.MOVABLE) !== 0;
  const piece = movable ? Math.min(order, k.geometry.pageblockOrder) : order;
  for (let at = pfn; at < pfn + 2 ** order; at += 2 ** piece) {
    w.held.push({ pfn: at, order: piece, owner, movable });
  }
};

/** Blocks of the naive model follow their pages: a migrated block is found by its owner. */
const refind = (w: World): void => {
  const { mm } = w.k;
  for (const one of w.held) {
    const index = mm.indexOf(one.pfn);
    if (!one.movable) continue;
    if (useOf(mm.use[index]!) !== USE.MOVABLE || mm.owners.of(index) !== one.owner) one.owner = -1;
  }
  const lost = w.held.filter((one) => one.owner === -1);
  w.held.splice(0, w.held.length, ...w.held.filter((one) => one.owner !== -1));
  const known = new Set(w.held.flatMap((one) => pagesOf(one.pfn, one.order)));
  for (let index = 0; lost.length > 0 && index < mm.use.length; index++) {
    const use = useOf(mm.use[index]!);
    const order = orderOf(mm.use[index]!);
    const pfn = mm.pfnOf(index);
    if (use !== USE.MOVABLE || index % 2 ** order !== 0 || known.has(pfn)) continue;
    w.held.push({ pfn, order, owner: mm.owners.of(index), movable: true });
  }
};
const pagesOf = (pfn: number, order: number) => Array.from({ length: 2 ** order }, (_, i) => pfn + i);

const movablePages = (k: Kernel): number => k.zones.sum(k.zones.movable);

const takeContig = (w: World, a: number, b: number): void => {
  const { k } = w;
  const { pageSize, pagesPerBlock } = k.geometry;
  const n = pagesPerBlock * ((b % 6) + 1);
  const pfn = BASE / pageSize + (a % (w.ram / pageSize - n));
  const movable = movablePages(k);
  const isolated = k.zones.sum(k.zones.isolatedPageblocks);
  const error = run(k, allocContigRange, pfn, n);
  expect(movablePages(k)).toBe(movable);
  expect(k.zones.sum(k.zones.isolatedPageblocks)).toBe(isolated);
  if (error === 0) w.contig.push({ pfn, n });
  refind(w);
};

const onlineSpare = (w: World, movable: boolean): void => {
  const { k } = w;
  const { pageSize, sectionSize, pagesPerSection, pagesPerChunk, maxOrder } = k.geometry;
  const start = w.spare / pageSize;
  k.mm.addSection(w.spare / sectionSize);
  k.mm.setPages(start, pagesPerSection, USE.OFFLINE);
  movePfnRangeToZone(k, start, pagesPerSection, zoneNumber(0, movable ? ZONE.MOVABLE : ZONE.NORMAL));
  isolatePageblocks(k, start, pagesPerSection);
  for (let at = start; at < start + pagesPerSection; at += pagesPerChunk) {
    run(k, freePagesCore, at, maxOrder, MEMINIT.HOTPLUG);
  }
  k.zones.present[zoneOf(k, start)]! += pagesPerSection;
  undoIsolatePageRange(k, start, pagesPerSection);
  setupPerZoneWmarks(k);
  w.online = true;
};

const offlineSpare = (w: World): void => {
  const { k } = w;
  const { pageSize, sectionSize, pagesPerSection } = k.geometry;
  const start = w.spare / pageSize;
  if (run(k, startIsolatePageRange, start, pagesPerSection) !== 0) return;
  const movable = movablePages(k);
  const error = run(k, migrateRange, start, pagesPerSection);
  expect(movablePages(k)).toBe(movable);
  refind(w);
  if (error !== 0 || !testPagesIsolated(k, start, pagesPerSection)) {
    undoIsolatePageRange(k, start, pagesPerSection);
    return;
  }
  const zone = zoneOf(k, start);
  expect(offlineIsolatedPages(k, start, pagesPerSection)).toBe(pagesPerSection);
  k.zones.present[zone]! -= pagesPerSection;
  removePfnRangeFromZone(k, start, pagesPerSection);
  setupPerZoneWmarks(k);
  k.mm.removeSection(w.spare / sectionSize);
  w.online = false;
};

const COMMANDS: Readonly<Record<string, (w: World, a: number, b: number) => void>> = {
  allocate,
  free: (w, a) => {
    const one = pick(w.held, a);
    if (one === undefined) return;
    w.held.splice(w.held.indexOf(one), 1);
    freePages(w.k, one.pfn, one.order);
  },
  takeContig,
  freeContig: (w, a) => {
    const one = pick(w.contig, a);
    if (one === undefined) return;
    w.contig.splice(w.contig.indexOf(one), 1);
    freeContigRange(w.k, one.pfn, one.n);
  },
  isolate: (w, a, b) => {
    const { pageSize, pagesPerBlock } = w.k.geometry;
    const n = pagesPerBlock * ((b % 6) + 1);
    const pfn = BASE / pageSize + (a % (w.ram / pageSize - n));
    if (run(w.k, startIsolatePageRange, pfn, n, b % 2) === 0 && b % 3 > 0) undoIsolatePageRange(w.k, pfn, n);
  },
  undo: (w) => undoIsolatePageRange(w.k, BASE / w.k.geometry.pageSize, w.ram / w.k.geometry.pageSize),
  accept: (w, a, b) => {
    const { pageSize } = w.k.geometry;
    const pages = w.ram / pageSize;
    run(w.k, acceptMemory, BASE + (a % pages) * pageSize, ((b % 9) + 1) * pageSize);
  },
  online: (w, a) => (w.online ? offlineSpare(w) : onlineSpare(w, a % 2 === 0)),
};
const NAMES = ["allocate", "allocate", "allocate", "free", "free", ...Object.keys(COMMANDS)];

const command: fc.Arbitrary<Command> = fc.tuple(fc.constantFrom(...NAMES), fc.nat(1 << 20), fc.nat(1 << 20));

it.each([
  ["small geometry, lazy, 7.3", SMALL, "lazy", "7.3"],
  ["small geometry, lazy, 6.12", SMALL, "lazy", "6.12"],
  ["small geometry, eager, 7.3", SMALL, "eager", "7.3"],
  ["tiny geometry, lazy, 7.3", TINY, "lazy", "7.3"],
] as const)("I19 to I26 hold after every command: %s", (_name, g, accept, variant) => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.nat(12), fc.array(command, { minLength: 1, maxLength: 40 }), (hole, commands) => {
      const w = booted(g, accept, variant, hole);
      for (const [name, a, b] of commands) {
        COMMANDS[name]!(w, a, b);
        expect([name, ...brokenAllocatorRules(w)]).toEqual([name]);
        const held = w.held.reduce((sum, one) => sum + 2 ** one.order, 0);
        const contig = w.contig.reduce((sum, one) => sum + one.n, 0);
        const { zones } = w.k;
        const isolatedFree = freeIsolated(w.k);
        // The naive model: what was managed is free, isolated, or in somebody's hands. Nothing else.
        expect(zones.sum(zones.managed)).toBe(zones.sum(zones.free) + isolatedFree + held + contig);
      }
      accepted += w.hw.accepts;
    }),
    { numRuns: 60 },
  );
  expect(accepted).toBeGreaterThan(100);
});

const freeIsolated = (k: Kernel): number => {
  let pages = 0;
  for (let index = 0; index < k.mm.use.length; index++) {
    const isolated = k.mm.isolated[index >> k.geometry.pageblockOrder] !== 0;
    if (isolated && useOf(k.mm.use[index]!) === USE.FREE) pages++;
  }
  return pages;
};

it("four vCPUs that allocate at once accept no unit twice and leave every rule intact", () => {
  fc.assert(
    fc.property(fc.nat(12), fc.array(fc.nat(3), { minLength: 1, maxLength: 300 }), (hole, turns) => {
      const boot = bootLayout([{ start: BASE, end: BASE + 2 * MIB }], { early: [], hugePages: false });
      const top = BASE + 2 * MIB;
      const ranges = [{ start: BASE + hole * SMALL.unitSize, end: top }];
      const unaccepted = { window: { start: BASE, end: top }, ranges };
      const kernel = fakeKernel({ geometry: SMALL, top, boot, unaccepted, vcpus: 4 });
      run(kernel.k, bootMemory);
      const tasks = [0, 1, 2, 3].map((n) => newTask(n));
      for (let round = 0; round < 8; round++) {
        tasks.forEach((f, n) => {
          f.start(allocPages, (round + n) % 5, GFP.MOVABLE, 0, n + 1);
        });
        let turn = 0;
        interleave(kernel.k, tasks, (busy) => turns[turn++ % turns.length]! + (turn % busy));
      }
      expect(brokenAllocatorRules(kernel)).toEqual([]);
    }),
    { numRuns: 40 },
  );
});

it("accepts the chunks of a list first in, first out", () => {
  const boot = bootLayout([{ start: BASE, end: BASE + 2 * MIB }], { early: [], hugePages: false });
  const window = { start: BASE, end: BASE + 2 * MIB };
  const { k, hw } = fakeKernel({
    geometry: SMALL,
    top: window.end,
    boot,
    unaccepted: { window, ranges: [window] },
  });
  run(k, bootMemory);
  k.zones.promo.fill(0);
  // Watermarks unknown: each allocation accepts one chunk of 64 KiB and, by its guard, 16 KiB of the next.
  for (let n = 1; n <= 4; n++) {
    run(k, allocPages, 0, 0, 0, 1);
    expect(hw.isAccepted(BASE, BASE + n * 64 * KIB + 16 * KIB)).toBe(true);
    expect(hw.isAccepted(BASE + n * 64 * KIB + 16 * KIB, BASE + n * 64 * KIB + 20 * KIB)).toBe(false);
    expect(k.zones.sum(k.zones.unaccepted)).toBe(512 - 16 * n);
  }
});

it("a chunk under acceptance is in no counter, and comes back whole", () => {
  const boot = bootLayout([{ start: BASE, end: BASE + 2 * MIB }], { early: [], hugePages: false });
  const window = { start: BASE, end: BASE + 2 * MIB };
  const { k } = fakeKernel({
    geometry: SMALL,
    top: window.end,
    boot,
    unaccepted: { window, ranges: [window] },
  });
  run(k, bootMemory);
  const before = k.zones.sum(k.zones.free);
  const f = newTask();
  f.start(allocPages, 0, 0, 0, 1);
  let lowest = before;
  while (!f.idle) {
    f.step(k);
    lowest = Math.min(lowest, k.zones.sum(k.zones.free));
  }
  expect(lowest).toBe(before - SMALL.pagesPerChunk);
  expect(k.zones.sum(k.zones.free)).toBe(before - 1);
});
