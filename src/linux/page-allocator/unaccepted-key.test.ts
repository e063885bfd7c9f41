import { expect, it } from "vitest";
import { GIB, MIB } from "../../units.ts";
import type { Kernel } from "../kernel.ts";
import { USE } from "../mem-map.ts";
import { brokenAllocatorRules } from "../testing/allocator-rules.ts";
import { fakeKernel, newTask, run } from "../testing/fake-kernel.ts";
import { type Fix, VARIANTS, withoutFixes } from "../variant.ts";
import { pagesToAccept } from "./cond-accept.ts";
import { freePagesCore, MEMINIT } from "./free-core.ts";
import { acceptOneChunk, acceptPage } from "./unaccepted-list.ts";
import { movePfnRangeToZone } from "./zone-span.ts";
import { ZONE } from "./zones.ts";

const BASE = 4 * GIB;
const PFN = BASE / 4096;
const CHUNK = 1024;

/** A kernel with a section of 128 MiB of unaccepted memory that nobody has handed to the allocator yet. */
const kernelWithout = (...fixes: Fix[]) => {
  const window = { start: BASE, end: BASE + 128 * MIB };
  const members = { variant: withoutFixes(VARIANTS["6.12"], fixes) };
  const fake = fakeKernel({ top: window.end, unaccepted: { window, ranges: [window] }, members });
  fake.k.mm.addSection(BASE / (128 * MIB));
  fake.k.mm.setPages(PFN, 32768, USE.OFFLINE);
  movePfnRangeToZone(fake.k, PFN, 32768, ZONE.NORMAL);
  return fake;
};
const wanted = (k: Kernel): number => pagesToAccept(k, ZONE.NORMAL, 0, 0);

/** A task that has listed a first chunk and not counted its zone yet. */
const listing = (k: Kernel, pfn = PFN) => {
  const f = newTask(0, 0);
  f.start(freePagesCore, pfn, 10, MEMINIT.EARLY);
  while (!f.where.startsWith("static_branch_inc:")) f.step(k);
  return f;
};

it("counts a zone from its first chunk to its last", () => {
  const { k } = kernelWithout("B9");
  const seen = [PFN, PFN + CHUNK].map((pfn) => {
    run(k, freePagesCore, pfn, 10, MEMINIT.EARLY);
    return k.zones.unacceptedKey;
  });
  const left = [1, 2].map(() => {
    run(k, acceptOneChunk, ZONE.NORMAL);
    return k.zones.unacceptedKey;
  });
  expect([seen, left]).toEqual([
    [1, 1],
    [1, 0],
  ]);
});

it("accepts nothing of a chunk that is listed until its zone is counted", () => {
  const { k } = kernelWithout("B9");
  const f = listing(k);
  expect([k.zones.unaccepted[ZONE.NORMAL], wanted(k)]).toEqual([CHUNK, 0]);
  while (!f.idle) f.step(k);
  expect([k.zones.unacceptedKey, wanted(k)]).toEqual([1, Number.POSITIVE_INFINITY]);
});

it("warns once of a zone that is counted no longer before it was counted, and counts it for ever", () => {
  const fake = kernelWithout("B9");
  const { k, log } = fake;
  const counts = [PFN, PFN + CHUNK].map((pfn) => {
    const f = listing(k, pfn);
    // As if the one that is left over from the time before were not there.
    k.zones.unacceptedKey = 0;
    // Isolation does not ask whether there is unaccepted memory.
    expect(run(k, acceptPage, k.mm.indexOf(pfn))).toBe(1);
    const before = k.zones.unacceptedKey;
    while (!f.idle) f.step(k);
    return [before, k.zones.unacceptedKey, wanted(k)];
  });
  expect(counts).toEqual([
    [0, 1, 0],
    [0, 1, 0],
  ]);
  expect(log.filter((line) => line.startsWith("WARNING: kernel/jump_label.c")).length).toBe(1);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it("without the key nothing is counted, and a chunk is accepted as soon as it is listed", () => {
  const { k } = kernelWithout();
  const f = newTask(0, 0);
  f.start(freePagesCore, PFN, 10, MEMINIT.EARLY);
  f.step(k);
  expect([f.idle, wanted(k), k.zones.unacceptedKey]).toEqual([true, Number.POSITIVE_INFINITY, 0]);
});
