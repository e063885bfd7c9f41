import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlockLinks } from "./block-links.ts";

const GROUP_ORDER = 5;
const MAX_ORDER = 3;
const GROUPS = 3;

/** A block of any order in any group. */
const anyBlock = fc
  .integer({ min: 0, max: MAX_ORDER })
  .chain((order) =>
    fc.tuple(fc.constant(order), fc.integer({ min: 0, max: GROUPS * 2 ** (GROUP_ORDER - order) - 1 })),
  );

describe("BlockLinks", () => {
  it("keeps the links of each block apart from those of all others", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyBlock, fc.integer(), fc.integer())), (writes) => {
        const links = new BlockLinks(GROUP_ORDER, MAX_ORDER);
        links.reserve(GROUPS);
        const expected = new Map<string, readonly [number, number, number, number]>();
        for (const [[order, block], next, prev] of writes) {
          links.set(order, block, next | 0, prev | 0);
          expected.set(`${order} ${block}`, [order, block, next | 0, prev | 0]);
        }
        for (const [order, block, next, prev] of expected.values()) {
          expect([links.next(order, block), links.prev(order, block)]).toEqual([next, prev]);
        }
      }),
    );
  });

  it("changes one link and leaves the other", () => {
    const links = new BlockLinks(GROUP_ORDER, MAX_ORDER);
    links.reserve(1);
    links.set(0, 7, 1, 2);
    links.setNext(0, 7, 3);
    expect([links.next(0, 7), links.prev(0, 7)]).toEqual([3, 2]);
    links.setPrev(0, 7, 4);
    expect([links.next(0, 7), links.prev(0, 7)]).toEqual([3, 4]);
  });

  it("keeps links when more groups come", () => {
    const links = new BlockLinks(GROUP_ORDER, MAX_ORDER);
    links.reserve(1);
    links.set(0, 31, 30, 29);
    links.reserve(100);
    for (let group = 1; group < 100; group++) links.set(0, group * 32, group, group);
    expect([links.next(0, 31), links.prev(0, 31)]).toEqual([30, 29]);
    expect(links.next(0, 99 * 32)).toBe(99);
  });

  it("keeps nothing of a block that was cleared", () => {
    const links = new BlockLinks(GROUP_ORDER, MAX_ORDER);
    links.reserve(1);
    links.set(0, 7, 1, 2);
    links.set(0, 8, 3, 4);
    links.clear(0, 7);
    expect([links.next(0, 7), links.prev(0, 7)]).toEqual([0, 0]);
    expect([links.next(0, 8), links.prev(0, 8)]).toEqual([3, 4]);
  });

  it("with room made for all holds the same memory whatever the order in which blocks are linked", () => {
    const linked = (order: readonly number[]): BlockLinks => {
      const links = new BlockLinks(GROUP_ORDER, MAX_ORDER);
      links.reserve(GROUPS);
      links.makeRoom();
      for (const block of order) links.set(block % 2, block, block + 1, block - 1);
      return links;
    };
    expect(linked([40, 3, 17])).toEqual(linked([17, 40, 3]));
  });
});
