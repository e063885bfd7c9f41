import fc from "fast-check";
import { expect, it } from "vitest";
import { GIB, KIB, MIB } from "../../units.ts";
import { geometry } from "../geometry.ts";
import { USE } from "../mem-map.ts";
import { allocPages } from "../page-allocator/alloc.ts";
import { ZONE, zoneNumber } from "../page-allocator/zones.ts";
import { brokenAllocatorRules } from "../testing/allocator-rules.ts";
import { fakeKernel, interleave, newTask, run } from "../testing/fake-kernel.ts";
import { bootLayout } from "./boot-layout.ts";
import { bootMemory, bootMemoryEarly, bootMemoryLate } from "./boot-memory.ts";
import { EARLY_ALLOCATIONS } from "./early-allocations.ts";
import { deferredInitNode } from "./free-boot-memory.ts";
import { bootFacts, tableRegion } from "./memory-map.ts";

const RAM = [{ start: 4 * GIB, end: 6 * GIB }];
const bare = (rest: object = {}) => bootLayout(RAM, { early: [], hugePages: false, ...rest });
const all = { window: RAM[0]!, ranges: RAM };

it("lists 2 GiB of unaccepted memory as 512 chunks and accepts none of it in lazy mode", () => {
  const { k, hw } = fakeKernel({ top: 8 * GIB, boot: bare(), unaccepted: all });
  expect(run(k, bootMemory)).toBe(0);
  const normal = zoneNumber(0, ZONE.NORMAL);
  expect(k.zones.length[k.zones.unacceptedList(normal)]).toBe(512);
  expect(k.zones.unaccepted[normal]).toBe((2 * GIB) / 4096);
  expect(k.zones.free[normal]).toBe((2 * GIB) / 4096);
  expect(k.zones.managed[normal]).toBe((2 * GIB) / 4096);
  expect(hw.accepts).toBe(0);
});

it("accepts 2 GiB, 2 MiB at a time, in eager mode and lists nothing", () => {
  const { k, hw } = fakeKernel({ top: 8 * GIB, boot: bare(), unaccepted: all, accept: "eager" });
  run(k, bootMemory);
  expect(hw.accepts).toBe(1024);
  expect(k.zones.sum(k.zones.unaccepted)).toBe(0);
  expect(hw.doubles).toEqual([]);
});

it("takes the memmap, 64 bytes a page, from the top, and accepts it and the odd half chunk below it", () => {
  const early = bootLayout(RAM).early.filter((entry) => entry.memmap === true);
  const { k, hw } = fakeKernel({ top: 8 * GIB, boot: bare({ early }), unaccepted: all });
  run(k, bootMemory);
  // 16 sections of RAM and the one that holds the table: 17 units of 2 MiB of struct pages, the last of
  // the window, so no guard. The half chunk below them is no whole chunk: accepted when it is freed.
  expect(hw.accepts).toBe(17 + 1);
  expect(hw.isAccepted(6 * GIB - 36 * MIB, 6 * GIB)).toBe(true);
  expect(k.mm.useAt((6 * GIB - 4 * KIB) / 4096)).toBe(USE.MEMMAP);
  expect(k.zones.sum(k.zones.unaccepted)).toBe((2 * GIB - 36 * MIB) / 4096);
  expect(k.zones.sum(k.zones.free)).toBe((2 * GIB - 34 * MIB) / 4096);
});

it("frees an unaligned range in pieces of its natural alignment, and only whole chunks wait", () => {
  // 4 KiB short of 4 MiB at the start, 2 MiB more than whole chunks at the end.
  const ram = { start: 4 * GIB + 4 * MIB - 4 * KIB, end: 4 * GIB + 14 * MIB };
  const boot = bootLayout([ram], { early: [], hugePages: false });
  const window = { start: 4 * GIB, end: 4 * GIB + 16 * MIB };
  const fake = fakeKernel({ top: window.end, boot, unaccepted: { window, ranges: [window] } });
  run(fake.k, bootMemory);
  const { zones } = fake.k;
  expect(zones.managed[ZONE.NORMAL]).toBe(1 + 2 * 1024 + 512);
  expect(zones.unaccepted[ZONE.NORMAL]).toBe(2 * 1024);
  // The lone page accepts its unit and, as it ends there, the next one. The tail does the same.
  expect(fake.hw.accepts).toBe(4);
  expect(fake.hw.isAccepted(4 * GIB + 2 * MIB, 4 * GIB + 6 * MIB)).toBe(true);
  expect(fake.hw.isAccepted(4 * GIB + 12 * MIB, 4 * GIB + 16 * MIB)).toBe(true);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it("accepts a deferred piece smaller than a chunk and frees it page by page", () => {
  // The first section is not deferred; behind it 2 chunks and 2 MiB.
  const ram = { start: 4 * GIB, end: 4 * GIB + 138 * MIB };
  const boot = bootLayout([ram], { early: [], hugePages: false });
  const window = { start: 4 * GIB, end: 4 * GIB + 160 * MIB };
  const fake = fakeKernel({ top: window.end, boot, unaccepted: { window, ranges: [window] } });
  run(fake.k, bootMemoryEarly);
  expect(fake.k.zones.firstDeferred[0]).toBe((4 * GIB + 128 * MIB) / 4096);
  expect(fake.k.zones.managed[ZONE.NORMAL]).toBe(32768);
  expect(run(fake.k, deferredInitNode, 0, 0, 1)).toBe(0);
  expect(fake.k.zones.managed[ZONE.NORMAL]).toBe(32768 + 2048 + 512);
  expect(fake.k.zones.unaccepted[ZONE.NORMAL]).toBe(32768 + 2048);
  // One unit and its guard.
  expect(fake.hw.accepts).toBe(2);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it("defers only the highest zone of a node", () => {
  const boot = bootLayout(
    [
      { start: 0, end: 2 * GIB },
      { start: 4 * GIB, end: 6 * GIB },
    ],
    {
      early: [],
      affinity: [
        { start: 0, end: 2 * GIB, node: 0 },
        { start: 4 * GIB, end: 6 * GIB, node: 1 },
      ],
    },
  );
  const { k } = fakeKernel({ top: 8 * GIB, nodes: 2, boot });
  run(k, bootMemoryEarly);
  // DMA32 starts at 16 MiB: more than a section of it ends at 256 MiB. NORMAL of node 1 starts aligned.
  expect([...k.zones.firstDeferred]).toEqual([(256 * MIB) / 4096, (4 * GIB + 128 * MIB) / 4096]);
});

it("deferred parts in any interleaving accept once and leave the same memory", () => {
  const ram = { start: 4 * GIB, end: 5 * GIB + 6 * MIB };
  const boot = bootLayout([ram], { early: [], hugePages: false });
  const unaccepted = { window: ram, ranges: [ram] };
  fc.assert(
    fc.property(
      fc.array(fc.nat(3), { minLength: 1, maxLength: 50 }),
      fc.constantFrom("lazy", "eager"),
      (turns, accept) => {
        const fake = fakeKernel({ top: ram.end, boot, unaccepted, vcpus: 4, accept });
        fake.hw.keepCalls = false;
        run(fake.k, bootMemoryEarly);
        const tasks = [0, 1, 2, 3].map((part) => {
          const f = newTask(part);
          f.start(deferredInitNode, 0, part, 4);
          return f;
        });
        let turn = 0;
        interleave(fake.k, tasks, () => turns[turn++ % turns.length]!);
        bootMemoryLate(fake.k);
        expect(fake.hw.doubles).toEqual([]);
        expect(fake.k.zones.managed[ZONE.NORMAL]).toBe((ram.end - ram.start) / 4096);
        const listed = fake.k.zones.unaccepted[ZONE.NORMAL]! / 1024;
        expect(listed).toBe(accept === "lazy" ? 257 : 0);
        expect(fake.hw.accepts).toBe(accept === "lazy" ? 1 : 515);
      },
    ),
    { numRuns: 6 },
  );
});

it("bringing up vCPUs accepts a chunk for every page allocated, as watermarks are still 0", () => {
  const boot = bare({ deferredInit: false });
  const { k, hw } = fakeKernel({ top: 8 * GIB, boot, unaccepted: all, vcpus: 9 });
  run(k, bootMemory);
  expect(k.zones.sum(k.zones.unaccepted)).toBe((2 * GIB) / 4096 - 8 * 13 * 1024);
  // Each chunk of two units, and one guard at the end of them all.
  expect(hw.accepts).toBe(8 * 13 * 2 + 1);
});

it("lazy boot leaves the list alone until allocations come, then keeps promo pages accepted", () => {
  const { k } = fakeKernel({ top: 8 * GIB, boot: bare(), unaccepted: all });
  run(k, bootMemory);
  const normal = zoneNumber(0, ZONE.NORMAL);
  run(k, allocPages, 0, 0, 0, 1);
  // promo is 3020 pages: 3 chunks of 1024.
  expect(k.zones.promo[normal]).toBe(3020);
  expect(k.zones.free[normal]! - k.zones.unaccepted[normal]!).toBe(3 * 1024 - 1);
});

it("reserves the pages around the unaccepted table, its offset in the page included", () => {
  // 24 bytes of header and 1000 of bitmap: from 0xc00 on they fill the page, from 0xc08 on they do not fit.
  expect(tableRegion(0x7000_0c00, 1000, 1, 4096)).toEqual([0x7000_0000, 0x7000_1000]);
  expect(tableRegion(0x7000_0c08, 1000, 1, 4096)).toEqual([0x7000_0000, 0x7000_2000]);
  expect(tableRegion(0x7000_0c00, 1000, 2, 4096)).toEqual([0x7000_0000, 0x7000_2000]);
});

it("a tiny geometry boots too", () => {
  const tiny = geometry(21, 1, 1, 23);
  const ram = { start: 4 * GIB, end: 4 * GIB + 64 * MIB };
  const boot = bootLayout([ram], { early: [] });
  const fake = fakeKernel({ geometry: tiny, top: ram.end, boot, unaccepted: { window: ram, ranges: [ram] } });
  run(fake.k, bootMemory);
  expect(fake.k.zones.unaccepted[ZONE.NORMAL]).toBe(32);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

/** The e820 of a recorded guest: q35, 2 GiB on two nodes, OVMF. */
const RECORDED_RAM = [
  [0, 0xa0000],
  [0x10_0000, 0x80_6000],
  [0x80_8000, 0x81_0000],
  [0x90_0000, 0x7ea8_a000],
  [0x7eb8_c000, 0x7f4e_c000],
  [0x7f7f_e000, 0x7fee_c000],
].map(([start, end]) => ({ start: start!, end: end! }));

it("a recorded guest's early free memory and MemTotal come out", () => {
  const early = EARLY_ALLOCATIONS.map((entry) =>
    entry.what === "swiotlb bounce buffer" ? { ...entry, bytes: () => 64 * MIB } : entry,
  );
  const boot = bootLayout(RECORDED_RAM, {
    early,
    affinity: [
      { start: 0, end: GIB, node: 0 },
      { start: GIB, end: 2 * GIB, node: 1 },
    ],
    reservations: [
      { start: 0x6040_0000, end: 0x6380_0000, what: "kernel" },
      { start: 0x7db3_e000, end: 0x7dc4_e000, what: "initrd" },
      { start: 0x90_0000, end: 0x150_0000, what: "EFI boot services data" },
    ],
  });
  const { k } = fakeKernel({ top: 4 * GIB, nodes: 2, vcpus: 2, boot });
  run(k, bootMemoryEarly);
  // "Memory: 378676K/2090516K available": what is not deferred, of what is present.
  expect(k.zones.sum(k.zones.present) * 4).toBe(2_090_516);
  // Eight sections a node, however many regions share one.
  expect(bootFacts(k).memmap).toEqual([16 * MIB, 16 * MIB]);
  expect(Math.abs(k.zones.sum(k.zones.free) * 4 - 378_676)).toBeLessThan(1024);
  for (const node of [0, 1]) run(k, deferredInitNode, node, 0, 1);
  // MemTotal 1901484 kB; other EFI memory that this guest never got back makes up most of the difference.
  const total = k.zones.sum(k.zones.managed) * 4;
  expect(Math.abs(total - 1_901_484) / 1_901_484).toBeLessThan(0.02);
});

it("frees exactly the pages that no reservation touches, whatever bytes are reserved, deferred or not", () => {
  const size = 160 * MIB;
  const range = fc.tuple(fc.nat(size - 1), fc.integer({ min: 1, max: 8 * MIB }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), fc.boolean(), (ranges, deferredInit) => {
      const start = 4 * GIB;
      const reservations = ranges.map(([from, length]) => ({
        start: start + from,
        end: start + Math.min(size, from + length),
        what: "test",
      }));
      const boot = bootLayout([{ start, end: start + size }], { early: [], reservations, deferredInit });
      const { k } = fakeKernel({ top: start + size, boot });
      run(k, bootMemory);
      for (let page = 0; page < size / 4096; page++) {
        const at = start + page * 4096;
        const reserved = reservations.some((one) => one.start < at + 4096 && one.end > at);
        const use = k.mm.useAt(at / 4096);
        if (use !== (reserved ? USE.RESERVED : USE.FREE)) expect([at, use]).toEqual([at, "the other"]);
      }
    }),
    { numRuns: 30 },
  );
});
