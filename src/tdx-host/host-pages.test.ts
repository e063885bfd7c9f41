import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GIB, MIB, PAGE_SIZE } from "../units.ts";
import { HostPages } from "./host-pages.ts";

const UNIT = 2 * MIB;

/** Node 0 has 32 MiB below 16 MiB and above, and 64 MiB above 4 GiB; node 1 has 32 MiB behind that. */
const hostPages = (): HostPages =>
  new HostPages([
    { start: 0, end: 32 * MIB, node: 0 },
    { start: 4 * GIB, end: 4 * GIB + 64 * MIB, node: 0 },
    { start: 4 * GIB + 128 * MIB, end: 4 * GIB + 160 * MIB, node: 1 },
  ]);

/** Zones as the kernel walks them for node 0: its own from the highest down, then the other node's. */
const ZONES = [
  { start: 4 * GIB, end: 4 * GIB + 64 * MIB },
  { start: 16 * MIB, end: 32 * MIB },
  { start: MIB, end: 16 * MIB },
  { start: 4 * GIB + 128 * MIB, end: 4 * GIB + 160 * MIB },
];

/** What takeContiguous() answers for a power of two, found frame by frame. */
const searched = (pages: HostPages, count: number): number => {
  const bytes = count * PAGE_SIZE;
  const isFree = (at: number): boolean =>
    pages.freeRanges.some(({ start, end }) => start <= at && at + bytes <= end);
  for (const zone of ZONES) {
    for (let at = Math.ceil(zone.start / bytes) * bytes; at + bytes <= zone.end; at += bytes) {
      if (isFree(at)) return at;
    }
  }
  return -1;
};

describe("a contiguous run", () => {
  it("is the one that a search frame by frame finds, whatever was taken and given before", () => {
    const deed = fc.record({ count: fc.constantFrom(1, 2, 4, 512, 1024, 4096), gives: fc.boolean() });
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
        const pages = hostPages();
        const taken: [number, number][] = [];
        for (const [i, { count, gives }] of deeds.entries()) {
          if (gives && taken.length > 0) {
            const [start, end] = taken.splice((i * 7) % taken.length, 1)[0]!;
            pages.give(start, end);
          }
          const expected = searched(pages, count);
          const at = pages.takeContiguous(count, 0);
          expect(at).toBe(expected);
          if (at >= 0) taken.push([at, at + count * PAGE_SIZE]);
        }
      }),
      { numRuns: 60 },
    );
  });
  it("lies among the frames that ALIGN(zone start, count) and its steps name, for a count that is no power of two", () => {
    const pages = hostPages();
    // Frame 0x100000 of the zone at 4 GiB: (0x100000 + 2) & ~2 is 0x100000; the next one is 3 further.
    expect(pages.takeContiguous(3, 0)).toBe(4 * GIB);
    expect(pages.takeContiguous(3, 0)).toBe(4 * GIB + 3 * PAGE_SIZE);
    pages.give(4 * GIB, 4 * GIB + 3 * PAGE_SIZE);
    expect(pages.takeContiguous(2, 0)).toBe(4 * GIB);
    // One page is left of the first three: no run of three begins there.
    expect(pages.takeContiguous(3, 0)).toBe(4 * GIB + 6 * PAGE_SIZE);
  });
  it("is refused when only pieces are left", () => {
    const pages = hostPages();
    expect(pages.takeScattered(1000, UNIT)).toHaveLength(1000);
    expect(pages.takeContiguous(512, 0)).toBe(-1);
  });
});

it("single pages fill a zone one behind the other", () => {
  const pages = hostPages();
  const frames = Array.from({ length: 20_000 }, () => pages.takeContiguous(1, 0) / PAGE_SIZE);
  expect(frames.slice(0, 16_384)).toEqual(Array.from({ length: 16_384 }, (_, i) => 4 * 2 ** 18 + i));
  expect(frames[16_384]).toBe((16 * MIB) / PAGE_SIZE);
});
