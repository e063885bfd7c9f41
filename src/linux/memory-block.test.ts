import { expect, it } from "vitest";
import { X86_64 } from "./geometry.ts";
import { BLOCK, MemoryBlocks, NO_SINGLE_ZONE } from "./memory-block.ts";

const SECTION = X86_64.sectionSize;

it("holds a block at 3 PiB without rows for what lies below", () => {
  const blocks = new MemoryBlocks(X86_64, SECTION, 2 ** 52, 1);
  const far = (3 * 2 ** 50) / SECTION;
  blocks.add(far, BLOCK.OFFLINE, 0, NO_SINGLE_ZONE, 0, 0);
  blocks.add(5, BLOCK.ONLINE, 0, 2, 0, 0);
  expect(blocks.present()).toEqual([5, far]);
  expect(blocks.states).toHaveLength(2 * 1024);
  expect([blocks.stateOf(6), blocks.stateOf(far + 5000), blocks.rowOf(far + 5000)]).toEqual([0, 0, -1]);
});

it("forgets everything of a block that was removed", () => {
  const blocks = new MemoryBlocks(X86_64, 4 * SECTION, 2 ** 40, 2);
  blocks.add(7, BLOCK.OFFLINE, 1, NO_SINGLE_ZONE, 8192, 3);
  blocks.setMemmap(30, 4711);
  expect([blocks.memmapOf(30), blocks.memmapOf(29), blocks.memmapOf(9999)]).toEqual([4711, -1, -1]);
  expect([...blocks.nodeBlocks]).toEqual([0, 1]);
  blocks.remove(7);
  const row = blocks.rowOf(7);
  expect([blocks.states[row], blocks.altmapPages[row], blocks.groups[row]]).toEqual([0, 0, 0]);
  expect([blocks.present(), [...blocks.nodeBlocks]]).toEqual([[], [0, 0]]);
  expect(() => blocks.remove(7)).toThrow("is offline");
});

it("starts a leaf afresh when an earlier state was put back meanwhile", () => {
  const blocks = new MemoryBlocks(X86_64, SECTION, 2 ** 52, 1);
  const views = () => blocks.views() as (Uint8Array | Float64Array | Int32Array | Uint32Array)[];
  blocks.add(1, BLOCK.ONLINE, 0, 2, 0, 0);
  const snapshot = views().map((view) => view.slice());
  blocks.add(5000, BLOCK.ONLINE, 0, 2, 512, 9);
  blocks.setMemmap(5000, 77);
  for (const [n, view] of views().entries()) view.set(snapshot[n]!);
  blocks.add(9000, BLOCK.OFFLINE, 0, NO_SINGLE_ZONE, 0, 0);
  expect(blocks.present()).toEqual([1, 9000]);
  expect([blocks.memmapOf(9000), blocks.stateOf(5000)]).toEqual([-1, 0]);
});

it("refuses a block that is not whole sections, and one beyond the end", () => {
  expect(() => new MemoryBlocks(X86_64, SECTION / 2, 2 ** 40, 1)).toThrow("whole number of sections");
  const blocks = new MemoryBlocks(X86_64, SECTION, 2 ** 30, 1);
  expect(() => blocks.add(8, BLOCK.ONLINE, 0, 2, 0, 0)).toThrow("lies in the address space");
});

it("takes a node offline only without blocks and CPUs", () => {
  const blocks = new MemoryBlocks(X86_64, SECTION, 2 ** 40, 2);
  blocks.addCpuNode(0);
  blocks.nodeOnline[1] = 1;
  blocks.tryOfflineNode(0);
  blocks.tryOfflineNode(1);
  expect([...blocks.nodeOnline]).toEqual([1, 0]);
});
