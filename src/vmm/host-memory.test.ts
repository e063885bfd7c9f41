import { expect, it } from "vitest";
import { MIB } from "../units.ts";
import { HostMemory, NO_BLOCK } from "./host-memory.ts";

const memory = (): HostMemory => new HostMemory({ base: 8 * MIB, size: 6 * MIB });

it("gives the lowest free block, and the same one again once it is free", () => {
  const host = memory();
  expect([host.takeBlock(), host.takeBlock(), host.frameOf(1)]).toEqual([0, 1, (10 * MIB) / 4096]);
  host.freeBlock(0);
  expect([host.takeBlock(), host.takeBlock(), host.takeBlock()]).toEqual([0, 2, NO_BLOCK]);
  host.freeBlock(2);
  expect([host.takeBlock(), host.usedBlocks]).toEqual([2, 3]);
});

it("cuts frames for tables from blocks of their own, one after another", () => {
  const host = memory();
  const first = host.takeTableFrame();
  expect([first, host.takeTableFrame(), host.takeBlock()]).toEqual([
    (8 * MIB) / 4096,
    (8 * MIB) / 4096 + 1,
    1,
  ]);
  for (let frame = 2; frame < 512; frame++) host.takeTableFrame();
  expect([host.takeTableFrame(), host.tablePages]).toEqual([(12 * MIB) / 4096, 513]);
});

it("takes a table frame back that was not used, also the first of its block", () => {
  const host = memory();
  const first = host.takeTableFrame();
  host.untakeTableFrame(first);
  expect([host.takeTableFrame(), host.usedBlocks]).toEqual([first, 1]);
});

it("has no frame for a table when no block is free", () => {
  const host = memory();
  for (let block = 0; block < 3; block++) host.takeBlock();
  expect(host.takeTableFrame()).toBe(NO_BLOCK);
});

it("takes the blocks that the host lends, in its order, and gives them back to it", () => {
  const lent = [7, 3];
  const back: number[] = [];
  const lender = {
    take: () => lent.shift() ?? NO_BLOCK,
    give: (block: number) => back.push(block),
    freePages: 0,
    lendShared: () => {},
  };
  const host = new HostMemory({ base: 0, size: 64 * MIB, lender });
  expect([host.takeBlock(), host.takeTableFrame(), host.takeBlock(), host.usedBlocks]).toEqual([
    7,
    3 * 512,
    NO_BLOCK,
    2,
  ]);
  host.freeBlock(7);
  expect([back, host.usedBlocks]).toEqual([[7], 1]);
});
