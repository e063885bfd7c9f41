import { expect, it } from "vitest";
import { GIB, MIB } from "../../units.ts";
import { USE } from "../mem-map.ts";
import { fakeKernel } from "../testing/fake-kernel.ts";
import { freeBlock, takeBlock } from "./free-lists.ts";
import { movePfnRangeToZone } from "./zone-span.ts";
import { ZONE } from "./zones.ts";

const PFN = (4 * GIB) / 4096;

/** An empty section at 4 GiB, in ZONE_NORMAL. Its page indices start at 0. */
const empty = () => {
  const { k } = fakeKernel({ top: 4 * GIB + 128 * MIB });
  k.mm.addSection(32);
  k.mm.setPages(PFN, 32768, USE.IN_TRANSIT);
  movePfnRangeToZone(k, PFN, 32768, ZONE.NORMAL);
  /** Blocks of one list, from its head. */
  const list = (order: number) => {
    const found: number[] = [];
    let block = k.zones.head[k.zones.freeList(ZONE.NORMAL, order, false)]!;
    for (; block !== -1; block = k.mm.links.next(order, block)) found.push(block);
    return found;
  };
  return { k, list };
};

it("frees to the head, and memory that enters for the first time to the tail", () => {
  const { k, list } = empty();
  for (const page of [0, 4, 8]) freeBlock(k, page, 0, false);
  for (const page of [12, 16]) freeBlock(k, page, 0, true);
  expect(list(0)).toEqual([8, 4, 0, 12, 16]);
});

it("a page whose buddy one order up is free goes to the tail, as it will merge soon", () => {
  const { k, list } = empty();
  freeBlock(k, 2, 1, false);
  freeBlock(k, 8, 0, false);
  freeBlock(k, 0, 0, false);
  expect(list(0)).toEqual([8, 0]);
  freeBlock(k, 1, 0, false);
  expect([list(0), list(1), list(2)]).toEqual([[8], [], [0]]);
});

it("cuts a block from its upper end and keeps the halves at the heads of their lists", () => {
  const { k, list } = empty();
  freeBlock(k, 0, 4, true);
  freeBlock(k, 32, 3, true);
  freeBlock(k, 64, 3, true);
  expect(takeBlock(k, ZONE.NORMAL, 0, USE.ALLOCATED)).toBe(32);
  expect([list(0), list(1), list(2), list(3), list(4)]).toEqual([[33], [17], [9], [8], [0]]);
});

it("never merges across a zone", () => {
  const { k, list } = empty();
  k.mm.zone[1] = ZONE.MOVABLE;
  freeBlock(k, 0, 9, false);
  freeBlock(k, 512, 9, false);
  expect(list(9)).toEqual([0]);
  expect(list(10)).toEqual([]);
  expect(k.zones.free[ZONE.MOVABLE]).toBe(512);
});

it("never merges an isolated pageblock with one that is not, and counts only the latter", () => {
  const { k, list } = empty();
  k.mm.isolated[0] = 1;
  freeBlock(k, 0, 10, false);
  expect(list(9)).toEqual([1]);
  expect(k.zones.length[k.zones.freeList(ZONE.NORMAL, 9, true)]).toBe(1);
  expect(k.zones.free[ZONE.NORMAL]).toBe(512);
});
