import { expect, it } from "vitest";
import { largestOrder, X86_64 } from "./geometry.ts";

it("a block starts at its alignment, fits the pages there are, and is no larger than a chunk", () => {
  for (let pfn = 0; pfn < 17; pfn++) {
    for (let pages = 1; pages < 17; pages++) {
      const order = largestOrder(X86_64, pfn, pages);
      const fits = (candidate: number) => pfn % 2 ** candidate === 0 && 2 ** candidate <= pages;
      expect([fits(order), fits(order + 1)], `${pages} pages from ${pfn}`).toEqual([true, false]);
    }
  }
  expect(largestOrder(X86_64, 2 ** 39, 2 ** 39)).toBe(10);
  expect(largestOrder(X86_64, 2 ** 39 + 512, 2 ** 39)).toBe(9);
});
