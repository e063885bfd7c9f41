import { expect, it } from "vitest";
import { X86_64 } from "./geometry.ts";
import { MemMap, USE } from "./mem-map.ts";

const SECTIONS = 4;
const memMap = (): MemMap => {
  const mm = new MemMap(X86_64, SECTIONS * X86_64.sectionSize);
  mm.reserve(SECTIONS);
  mm.addSection(0);
  return mm;
};

it("a memmap begins with holes, though it has the memory of one that is no longer used", () => {
  const before = memMap();
  const { buffer } = before.use;
  before.setPages(0, X86_64.pagesPerSection, USE.ALLOCATED);
  before.release();
  const next = memMap();
  expect(next.use.buffer).toBe(buffer);
  expect(next.use.every((use) => use === USE.HOLE)).toBe(true);
  const other = memMap();
  expect(other.use.buffer).not.toBe(buffer);
});

it("no page has a memmap that was handed on", () => {
  const mm = memMap();
  mm.setPages(0, 8, USE.ALLOCATED);
  mm.release();
  expect(mm.indexOf(0)).toBe(-1);
  expect(mm.useAt(0)).toBe(USE.HOLE);
});
