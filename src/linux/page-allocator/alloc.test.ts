import { expect, it } from "vitest";
import { GIB, MIB } from "../../units.ts";
import { bootLayout } from "../boot/boot-layout.ts";
import { bootMemory } from "../boot/boot-memory.ts";
import { fakeKernel, newTask, run } from "../testing/fake-kernel.ts";
import { allocPages, freePages, zonelistAt } from "./alloc.ts";
import { GFP } from "./gfp.ts";
import { ZONE, zoneNumber, zoneOf } from "./zones.ts";

/** Two nodes: DMA and DMA32 on the first, NORMAL on both. */
const twoNodes = () => {
  const boot = bootLayout(
    [
      { start: 0, end: GIB },
      { start: 4 * GIB, end: 6 * GIB },
    ],
    {
      early: [],
      affinity: [
        { start: 0, end: 5 * GIB, node: 0 },
        { start: 5 * GIB, end: 6 * GIB, node: 1 },
      ],
    },
  );
  const fake = fakeKernel({ top: 6 * GIB, nodes: 2, boot });
  run(fake.k, bootMemory);
  return fake;
};

it("the zonelist goes down the zones of a node before it goes to the next node, and wraps", () => {
  const { k } = twoNodes();
  const list = (node: number, flags: number) => {
    const zones = [];
    for (let place = 0, zone = 0; (zone = zonelistAt(k, place, node, flags)) >= 0; place++) zones.push(zone);
    return zones;
  };
  expect(list(0, 0)).toEqual([2, 1, 0, 6, 5, 4]);
  expect(list(1, GFP.MOVABLE)).toEqual([7, 6, 5, 4, 3, 2, 1, 0]);
  expect(list(1, GFP.DMA32)).toEqual([5, 4, 1, 0]);
  expect(list(0, GFP.THIS_NODE)).toEqual([2, 1, 0]);
  expect(list(1, GFP.MOVABLE | GFP.THIS_ZONE_ONLY)).toEqual([7]);
});

it("takes a node's zones in turn, then the other node's, each down to its low watermark", () => {
  const { k } = twoNodes();
  const served: number[] = [];
  for (;;) {
    const pfn = run(k, allocPages, 10, 0, 1, 9);
    if (pfn < 0) break;
    const zone = zoneOf(k, pfn);
    if (served.at(-1) !== zone) served.push(zone);
  }
  const [normal0, normal1] = [zoneNumber(0, ZONE.NORMAL), zoneNumber(1, ZONE.NORMAL)];
  // Down to low everywhere, then again from the start down to min. DMA has one chunk to spare.
  const round = [normal1, normal0, zoneNumber(0, ZONE.DMA32)];
  expect(served).toEqual([...round, zoneNumber(0, ZONE.DMA), ...round]);
  for (const zone of [normal0, normal1]) {
    expect(k.zones.free[zone]! - 1023).toBeLessThanOrEqual(k.zones.min[zone]! + 1024);
    expect(k.zones.free[zone]!).toBeGreaterThan(k.zones.min[zone]!);
  }
  // What lower zones keep for those who can use nothing else: managed pages of NORMAL / 256.
  const dma32 = zoneNumber(0, ZONE.DMA32);
  expect(k.zones.free[dma32]!).toBeGreaterThan(k.zones.min[dma32]! + 262144 / 256);
  expect(run(k, allocPages, 10, GFP.NO_WATERMARKS, 0, 9)).toBeGreaterThan(0);
});

it("hands out the lowest pages of the smallest block that is large enough", () => {
  const { k } = twoNodes();
  const first = run(k, allocPages, 0, 0, 0, 1);
  expect(run(k, allocPages, 0, 0, 0, 1)).toBe(first + 1);
  expect(run(k, allocPages, 3, 0, 0, 1)).toBe(first + 8);
  expect(run(k, allocPages, 1, 0, 0, 1)).toBe(first + 2);
});

it("freeing in any order gives whole chunks back", () => {
  const { k } = twoNodes();
  const before = [...k.zones.length];
  const pfns = Array.from({ length: 40 }, (_, n) => [run(k, allocPages, n % 5, 0, 0, 1), n % 5] as const);
  expect([...k.zones.length]).not.toEqual(before);
  for (const [pfn, order] of pfns.toReversed()) freePages(k, pfn, order);
  expect([...k.zones.length]).toEqual(before);
});

it("movable memory wider than a pageblock is held in pageblocks, and freed as a whole all the same", () => {
  const { k } = twoNodes();
  const pfn = run(k, allocPages, 10, GFP.MOVABLE, 0, 5);
  expect(k.zones.sum(k.zones.movable)).toBe(1024);
  freePages(k, pfn + 512, 9);
  expect(k.zones.sum(k.zones.movable)).toBe(512);
  freePages(k, pfn, 9);
  expect(k.zones.sum(k.zones.movable)).toBe(0);
});

it("freeing what is not allocated is our mistake and says so", () => {
  const { k } = twoNodes();
  const pfn = run(k, allocPages, 2, 0, 0, 1);
  expect(() => freePages(k, pfn + 1, 0)).toThrow("heads its block");
  freePages(k, pfn, 2);
  expect(() => freePages(k, pfn, 2)).toThrow("is allocated");
});

it("no-lock allocations accept nothing in 7.3, and do in 6.12", () => {
  const ram = { start: 4 * GIB, end: 4 * GIB + 256 * MIB };
  const boot = bootLayout([ram], { early: [], hugePages: false });
  for (const variant of ["6.12", "7.3"] as const) {
    const { k, hw } = fakeKernel({ top: ram.end, boot, variant, unaccepted: { window: ram, ranges: [ram] } });
    run(k, bootMemory);
    const pfn = run(k, allocPages, 0, GFP.NO_LOCK, 0, 1);
    expect([pfn >= 0, hw.accepts > 0]).toEqual(variant === "7.3" ? [false, false] : [true, true]);
  }
});

it("a large order can fail in a zone full of unaccepted chunks once enough small pages are accepted", () => {
  const ram = { start: 4 * GIB, end: 4 * GIB + 256 * MIB };
  const boot = bootLayout([ram], { early: [], hugePages: false });
  const { k } = fakeKernel({ top: ram.end, boot, unaccepted: { window: ram, ranges: [ram] } });
  run(k, bootMemory);
  // Take every accepted page, then keep one of each eight: no block above order 2 is left among them.
  const pages: number[] = [];
  for (let n = 0; n < 2000; n++) pages.push(run(k, allocPages, 0, 0, 0, 1));
  const rest = GFP.NO_LOCK | GFP.NO_WATERMARKS;
  for (let pfn = 0; (pfn = run(k, allocPages, 0, rest, 0, 1)) >= 0; ) pages.push(pfn);
  for (const pfn of pages) if (pfn % 8 !== 0) freePages(k, pfn, 0);
  expect(k.zones.unaccepted[ZONE.NORMAL]).toBeGreaterThan(10 * 1024);
  // cond_accept_memory() counts pages, not blocks: promo is reached, so it accepts no chunk for this order.
  expect(run(k, allocPages, 9, 0, 0, 1)).toBeLessThan(0);
});

it("an allocation without anything to accept is one step", () => {
  const { k } = twoNodes();
  const f = newTask();
  f.start(allocPages, 10, GFP.MOVABLE, 0, 1);
  let steps = 0;
  while (!f.idle) {
    f.step(k);
    steps++;
  }
  expect(steps).toBe(2);
});
