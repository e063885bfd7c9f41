import { expect, it } from "vitest";
import { bitmaps } from "../designs/bitmaps/bitmaps.ts";
import { callbacks } from "../designs/callbacks.ts";
import { none } from "../designs/none.ts";
import { notifier } from "../designs/notifier.ts";
import { DesignReads } from "./design-reads.ts";

it("a design of which nothing was read could be any other", () => {
  expect(new DesignReads(none).holdFor(bitmaps)).toBe(true);
});

it("what was read is the design's own", () => {
  const { design } = new DesignReads(notifier);
  expect([design.name, design.tableVersion]).toEqual(["notifier", 1]);
  expect(design.hooks.goingOnline).toBe(notifier.hooks.goingOnline);
});

it("designs are told apart by a value that was read, and by no other", () => {
  const reads = new DesignReads(none);
  expect(reads.design.tableVersion).toBe(1);
  expect([reads.holdFor(notifier), reads.holdFor(bitmaps)]).toEqual([true, false]);
});

it("designs are told apart by a hook that was asked for, even one that is absent", () => {
  const reads = new DesignReads(none);
  expect(reads.design.hooks.goingOnline).toBeUndefined();
  expect([reads.holdFor(callbacks), reads.holdFor(notifier)]).toEqual([true, false]);
});
