import { afterAll, beforeAll, expect, it } from "vitest";
import { BreadthFirst } from "../check/breadth-first.ts";
import type { Checkpoint } from "../check/checkpoint.ts";
import { Fingerprinter } from "../check/fingerprinter.ts";
import { CONTROL, SharedFingerprintSet, sharedTable } from "../check/shared-fingerprint-set.ts";
import {
  ACCEPTED_TWICE,
  closedForms,
  UnitAcceptance,
  type UnitAcceptanceOptions,
} from "../check/unit-acceptance.ts";
import { FEWEST_SLOTS } from "../check/visited-set.ts";
import { type ParallelOptions, searchInParallel } from "./parallel-search.ts";
import { type BundledYardstick, bundleYardstick } from "./testing/bundled-yardstick.ts";

let thread: BundledYardstick;
beforeAll(() => {
  thread = bundleYardstick();
});
afterAll(() => thread.remove());

const search = (model: UnitAcceptanceOptions, threads: number, options: Partial<ParallelOptions> = {}) =>
  searchInParallel({ module: thread.module, configuration: model, threads, ...options });

it.each([1, 2, 3])("%i threads count what the closed forms say", async (threads) => {
  // 308,608 states: the table of one thread grows on the way.
  const { states, transitions } = closedForms(7, 3);
  const { depth, ...one } = await search({ units: 7, vcpus: 3 }, threads);
  expect(one).toMatchObject({
    end: "complete",
    states,
    transitions,
    resting: 0,
    frontier: 0,
    violations: [],
  });
  expect(one.goals).toEqual(Uint32Array.of(0b1111));
  expect(depth).toBe(27);
});

it("counts of a reduced search are the same for any number of threads", async () => {
  const model = { units: 5, vcpus: 3 };
  const single = new BreadthFirst(new UnitAcceptance(model), { partialOrder: true });
  single.begin();
  const { states, transitions, depth } = single.run();
  for (const threads of [1, 2, 4])
    expect(await search(model, threads, { partialOrder: true })).toMatchObject({
      states,
      transitions,
      depth,
    });
  const { classes } = closedForms(12, 3);
  expect(await search({ units: 12, vcpus: 3, symmetry: true }, 2)).toMatchObject({ states: classes });
});

it("a violation is met at the depth at which one thread meets it, with the same counts", async () => {
  const model = { units: 4, vcpus: 3, bug: "guard dropped" } as const;
  const single = new BreadthFirst(new UnitAcceptance(model));
  single.begin();
  const { states, transitions, depth } = single.run();
  for (const threads of [1, 2])
    expect(await search(model, threads)).toMatchObject({
      ...{ end: "violation", violations: [ACCEPTED_TWICE] },
      ...{ states, transitions, depth },
    });
});

it("bounds of depth, states and memory and a stop from outside end it", async () => {
  const model = { units: 6, vcpus: 3 };
  expect(await search(model, 2, { limits: { depth: 2 } })).toMatchObject({ end: "depth", depth: 2 });
  expect(await search(model, 2, { limits: { states: 1000 } })).toMatchObject({ end: "states" });
  expect(await search({ units: 10, vcpus: 3 }, 1, { limits: { bytes: 2 ** 22 } })).toMatchObject({
    end: "memory",
  });
  expect((await search({ units: 10, vcpus: 3 }, 2, { between: () => false })).end).toBe("interrupted");
});

it("whichever checkpoint it goes on from, it ends with the same counts", async () => {
  const model = { units: 5, vcpus: 3 };
  const kept: Checkpoint[] = [];
  const take = (now: Checkpoint) => {
    const [level, next] = [now.level, now.next].map((records) => records.map((bytes) => bytes.slice()));
    kept.push({ ...now, table: now.table.slice(), level: level!, next: next! });
  };
  const { bytes, ...whole } = await search(model, 2, { keep: { everyMs: 0, take } });
  expect(bytes).toBeGreaterThan(0);
  // One before each level, of which there are 22.
  expect(whole.depth).toBe(21);
  expect(kept.length).toBeGreaterThanOrEqual(22);
  for (const resume of kept.filter((_, at) => at % 5 === 0))
    expect(await search(model, 2, { resume })).toMatchObject(whole);
});

it("what a system throws in a thread is thrown by the search", async () => {
  const options = { module: thread.module, configuration: "broken", threads: 2 };
  await expect(searchInParallel(options)).rejects.toThrow("a yardstick that is broken");
});

it("a shared table keeps every fingerprint once, also when it is taken over in parts", () => {
  const control = new SharedArrayBuffer(4 * CONTROL.WORDS);
  const [small, large] = [FEWEST_SLOTS, 2 * FEWEST_SLOTS].map((slots) => sharedTable(slots, true, control));
  const set = new SharedFingerprintSet(new Fingerprinter(4, 0));
  set.attach(small!);
  // These firsts all belong to the last slot, so that the table's end is passed.
  for (let second = 1; second <= 1000; second++) expect(set.put(0xffff_ffff, second, second)).toBe(true);
  set.attach(large!);
  for (const part of [0, 1, 2]) set.takeOver(small!, part, 3);
  for (let second = 1; second <= 1000; second++) {
    expect(set.put(0xffff_ffff, second, 0)).toBe(false);
    expect(set.lastLevel).toBe(second);
  }
});
