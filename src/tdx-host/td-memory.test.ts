import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GIB, MIB } from "../units.ts";
import { HostPages } from "./host-pages.ts";
import { TdMemory } from "./td-memory.ts";
import { SMALL_HOST } from "./testing/host-rig.ts";

const BLOCK = 2 * MIB;

describe("memory of a TD", () => {
  it("comes from the near node's highest zone first, then from below, and from what was added later last", () => {
    const pages = new HostPages([
      { start: 0, end: 4 * MIB, node: 0 },
      { start: 4 * GIB, end: 4 * GIB + BLOCK, node: 0 },
      { start: 8 * GIB, end: 8 * GIB + BLOCK, node: 1 },
    ]);
    pages.give(16 * GIB, 16 * GIB + BLOCK);
    const memory = new TdMemory(pages);
    const taken = Array.from({ length: 5 }, () => memory.take() * BLOCK);
    expect(taken).toEqual([4 * GIB, 2 * MIB, 8 * GIB, 16 * GIB, -BLOCK]);
    expect(memory.bytes).toBe(4 * BLOCK);
    // The first MiB never gets into the allocator.
    expect(pages.freeRanges).toEqual([{ start: MIB, end: 2 * MIB }]);
  });
  it("goes back as a whole", () => {
    const pages = new HostPages(SMALL_HOST);
    const before = pages.freeRanges.map((range) => ({ ...range }));
    const memory = new TdMemory(pages);
    for (let i = 0; i < 20; i++) memory.takeFrame();
    for (let i = 0; i < 20; i++) memory.take();
    memory.give(memory.runs()[0]!.first / 512);
    expect(memory.bytes).toBe(19 * BLOCK + 20 * 4096);
    memory.giveAll();
    expect([memory.bytes, pages.freeRanges]).toEqual([0, before]);
  });
  it("shared with the host comes from the same allocator, page by page, and counts apart", () => {
    const pages = new HostPages([{ start: 0, end: 4 * MIB, node: 0 }]);
    const memory = new TdMemory(pages);
    expect([memory.freePages, memory.take()]).toEqual([768, 1]);
    memory.lendShared(200);
    expect([memory.sharedBytes, memory.bytes, memory.freePages]).toEqual([200 * 4096, BLOCK, 56]);
    memory.lendShared(-150);
    expect([memory.sharedBytes, memory.freePages]).toEqual([50 * 4096, 206]);
    expect(() => memory.lendShared(207)).toThrow("whoever lends pages");
    memory.giveAll();
    expect([memory.sharedBytes, memory.bytes, memory.freePages]).toEqual([0, 0, 768]);
    expect(pages.freeRanges).toEqual([{ start: MIB, end: 4 * MIB }]);
  });
  it("is free again in the order of addresses, however it was taken and given", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40)), (deeds) => {
        const pages = new HostPages([{ start: MIB, end: 64 * MIB, node: 0 }]);
        const memory = new TdMemory(pages);
        const held: number[] = [];
        for (const deed of deeds) {
          const block = deed < 25 ? memory.take() : -1;
          if (block >= 0) held.push(block);
          else if (held.length > 0) memory.give(held.splice(deed % held.length, 1)[0]!);
        }
        expect(pages.freeBytes + memory.bytes).toBe(63 * MIB);
        const { freeRanges } = pages;
        for (let i = 1; i < freeRanges.length; i++)
          expect(freeRanges[i - 1]!.end).toBeLessThan(freeRanges[i]!.start);
      }),
    );
  });
});
