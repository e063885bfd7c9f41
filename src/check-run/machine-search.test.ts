import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkMachine } from "../check/machine/check-machine.ts";
import { standardConfiguration } from "../check/machine/configurations/standard-configurations.ts";
import { ALL_REDUCTIONS, NO_REDUCTIONS } from "../check/machine/reductions/reductions.ts";
import { MachineSystem } from "../check/machine/system.ts";
import { keepMachine, type MachineSearchOptions, machineDive, machineSearch } from "./machine-search.ts";
import { type BundledMachine, bundleMachine } from "./testing/bundled-machine.ts";

const LONG = { timeout: 900_000 };

let thread: BundledMachine;
beforeAll(() => {
  thread = bundleMachine();
});
afterAll(() => thread.remove());

const tide = standardConfiguration("grow-shrink", "tide")!;
const bitmaps = standardConfiguration("grow-shrink", "bitmaps")!;
const { knowledge } = new MachineSystem(tide);
const whole = await checkMachine(tide, { knowledge });

const search = (options: Partial<MachineSearchOptions>) =>
  machineSearch({ threads: 2, alone: 0, limits: {}, module: thread.module, ...options });

/** All that does not depend on who searched: the memory does. */
const countsOf = <T extends { readonly bytes: number }>({ bytes, ...counts }: T) => counts;

it("two threads count the states of a machine that one thread counts", LONG, async () => {
  const checked = await checkMachine(tide, { search: search({}), knowledge });
  expect(countsOf(checked)).toEqual(countsOf(whole));
});

it("two threads tell the story that one thread tells", LONG, async () => {
  const one = await checkMachine(bitmaps);
  const two = await checkMachine(bitmaps, { search: search({}) });
  expect(one.story?.path).toHaveLength(33);
  expect(countsOf(two)).toEqual(countsOf(one));
});

it.each([1, 2])(
  "on %i threads the story is as short with partial order as without",
  LONG,
  async (threads) => {
    const reductions = ALL_REDUCTIONS;
    const reduced = await checkMachine(bitmaps, { search: search({ threads, reductions }) });
    expect(countsOf(reduced)).toEqual({
      ...countsOf(await checkMachine(bitmaps)),
      reductions: { symmetry: true, partialOrder: false },
    });
    const dived = await checkMachine(bitmaps, { search: machineDive({ limits: {}, reductions }) });
    expect([dived.broken, dived.shortest]).toEqual([reduced.broken, false]);
  },
);

it("two threads with reductions count what one thread counts", LONG, async () => {
  const [one, two] = await Promise.all(
    [1, 2].map((threads) =>
      checkMachine(tide, { search: search({ threads, reductions: ALL_REDUCTIONS }), knowledge }),
    ),
  );
  expect(countsOf(two!)).toEqual(countsOf(one!));
  expect(one!.states).toBeLessThan(whole.states);
});

it("what a thread finds out of memory that nobody had seen change begins the search anew", LONG, async () => {
  // The programs' stacks are deeper than this knows.
  const places = knowledge.places.map((known) => known.slice(0, Math.ceil(known.length * 0.9)));
  let searches = 0;
  const counting = search({});
  const checked = await checkMachine(tide, {
    knowledge: { ...knowledge, places },
    search: (system) => {
      searches++;
      return counting(system);
    },
  });
  expect(searches).toBeGreaterThan(1);
  expect(countsOf(checked)).toEqual(countsOf(whole));
});

it.each([1, 2])(
  "stopped on %i threads and gone on with, it ends with the same counts",
  LONG,
  async (threads) => {
    const path = join(thread.folder, `stopped-${threads}`);
    const keep = () => keepMachine(path, "this one", 3_600_000);
    const first = keep();
    const options = { threads, alone: threads === 1 ? 0 : 200 };
    const stopped = await checkMachine(tide, {
      search: search({ ...options, keep: first, progress: ({ states }) => states < 500 }),
      knowledge,
    });
    expect([stopped.verdict, stopped.end]).toEqual(["partial", "interrupted"]);
    expect(stopped.states).toBeLessThan(whole.states);
    const again = keep();
    expect(again.knowledge).toEqual(knowledge);
    const ended = await checkMachine(tide, {
      search: search({ ...options, keep: again }),
      knowledge: again.knowledge,
    });
    expect(countsOf(ended)).toEqual(countsOf(whole));
    expect(existsSync(path)).toBe(true);
    again.file.remove();
  },
);

it.each([
  ["symmetry", NO_REDUCTIONS, { symmetry: true, partialOrder: false }],
  ["no symmetry", ALL_REDUCTIONS, { symmetry: false, partialOrder: true }],
  ["partial order", NO_REDUCTIONS, { symmetry: false, partialOrder: true }],
])("states that were saved without it are not restored with %s", LONG, async (_, before, after) => {
  const path = join(thread.folder, "other reductions");
  const keep = () => keepMachine(path, "this one", 3_600_000);
  const first = { threads: 1, reductions: before, keep: keep() };
  const progress = ({ states }: { readonly states: number }) => states < 100;
  await checkMachine(tide, { search: search({ ...first, progress }), knowledge });
  const kept = keep();
  expect(kept.reductions).toEqual(before);
  expect(() => search({ ...first, reductions: after, keep: kept })).toThrow(
    "a search goes on with the reductions that its states were saved with",
  );
  kept.file.remove();
});

it.each([1, 2])(
  "on %i threads it ends with what is known before it takes more memory than it may",
  LONG,
  async (threads) => {
    const bytes = 2 ** 21;
    const { verdict, end, states } = await checkMachine(tide, {
      search: search({ threads, limits: { bytes } }),
      knowledge,
    });
    expect([verdict, end]).toEqual(["partial", "memory"]);
    expect(states).toBeGreaterThan(0);
  },
);
