import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readStory } from "../../check/story/story-file.ts";
import { main } from "../main.ts";
import { type FakeSystem, fakeSystem } from "../testing/fake-system.ts";

const LONG = { timeout: 600_000 };

it("a broken rule has a story that can be saved and replayed", LONG, async () => {
  const first = fakeSystem({});
  const args = ["check", "bitmaps", "--config", "grow-shrink", "--save", "story.json", "--itf", "a.itf"];
  expect([await main(args, first), first.err()]).toEqual([1, ""]);
  expect(first.out()).toMatch(
    /^configuration +states +depth +time +verdict\ngrow-shrink +\d+ +33 +[\d.]+ s +broken: I15$/m,
  );
  expect(first.out()).toMatch(/its plugged bit was set, and the VMM has not plugged\s+it\n/);
  expect(first.out()).toMatch(
    /\n\nnever seen:\n {2}secure EPT, 1\d of 19: all but FREE;[\s\S]*\n {2}_OST, all 8\n[\s\S]*$/,
  );
  const saved = first.files.get("story.json")!;
  expect(readStory("story.json", saved).path).toHaveLength(33);
  const second = fakeSystem({ "story.json": saved });
  expect(await main(["check", "--replay", "story.json", "--itf", "a.itf"], second)).toBe(1);
  expect(second.files.get("a.itf")).toBe(first.files.get("a.itf"));
  expect(first.out()).toContain(second.out());
  const third = fakeSystem({ "story.json": saved });
  expect(await main(["run", "story.json"], third)).toBe(1);
  expect(third.out()).toBe(`${second.out()}\nbroken: ${JSON.parse(saved).violation}\n`);
  const fourth = fakeSystem({ "story.json": saved });
  expect(await main(["run", "story.json", "--seed", "3"], fourth)).toBe(2);
  expect(fourth.err()).toBe(
    "--seed: expected a scenario, found story.json, a story of tidemark check, which is played as it was found; leave the option out\n",
  );
});

it(
  "a run that never ends can be saved, played again, and told as a trace and a diagram with its loop",
  LONG,
  async () => {
    const first = fakeSystem({});
    const args = [
      "check",
      "callbacks",
      "--config",
      "kexec",
      "--progress",
      "--save",
      "s.json",
      "--itf",
      "a.itf",
    ];
    expect([await main(args, first), first.err()]).toEqual([1, ""]);
    expect(first.out()).toContain("  steps 16 to 31 happen again and again, for ever\n");
    const saved = first.files.get("s.json")!;
    const { states, loop } = JSON.parse(first.files.get("a.itf")!);
    expect([states[loop].step, states.at(-1).step]).toEqual([{ "#bigint": "15" }, { "#bigint": "31" }]);
    const play = async (text: string, ...command: string[]) => {
      const system = fakeSystem({ "s.json": text });
      return [await main(command, system), system.out()] as const;
    };
    const [status, told] = await play(saved, "check", "--replay", "s.json");
    expect([status, first.out().endsWith(told)]).toEqual([1, true]);
    expect(await play(saved, "run", "s.json")).toEqual([
      1,
      `${told}\nbroken: ${JSON.parse(saved).violation}\n`,
    ]);
    const [, diagram] = await play(saved, "check", "--replay", "s.json", "--mermaid");
    expect(diagram).toMatch(/\n {2}loop for ever\n( {2}Note over [^\n]+\n)+ {2}end\n/);
    // One step later nothing comes back.
    const other = JSON.stringify({ ...JSON.parse(saved), roundFrom: 16 });
    expect((await play(other, "run", "s.json"))[0]).toBe(0);
  },
);

/** A system whose clock runs, and in which a signal comes once its terminal was told so. */
const stopping = (told: RegExp) => {
  const system = fakeSystem({}, { terminal: 120 });
  let now = 0;
  const breathe = async (): Promise<void> => {
    if (told.test(system.err())) system.signal(130);
  };
  return { ...system, breathe, clock: () => (now += 250) };
};
const LONG_CHECK = ["check", "tide", "--config", "three-vcpus,dimm", "--max-states", "100000000"];

it("Ctrl-C ends a check with the states that were met, which held so far", LONG, async () => {
  const system = stopping(/three-vcpus.*: .* states/);
  expect(await main(LONG_CHECK, system)).toBe(130);
  expect(system.out()).toMatch(
    /\nthree-vcpus +[1-9][\d ]* +[1-9]\d* +[\d.]+ s +held so far, stopped by you\nnot searched: dimm\nto be able to go on after Ctrl-C, begin with --checkpoint FILE\n$/,
  );
});

it.each([
  [
    ["--search", "walks", "--walks", "1000"],
    / [1-9][\d ]* walks/,
    /\nto go on: --config three-vcpus --seed (\d+) --walks (\d+); then --config dimm\n$/,
  ],
  [
    ["--search", "depth"],
    /: .* states/,
    /\nthis search begins anew each time; breadth first without more takes --checkpoint FILE\n$/,
  ],
])("Ctrl-C ends a check (%j), which says how it goes on", LONG, async (options, told, how) => {
  const system = stopping(told);
  expect(await main([...LONG_CHECK, ...options], system)).toBe(130);
  const [, seed, left] = how.exec(system.out())!;
  if (seed !== undefined) expect(Number(seed) + Number(left)).toBe(1000);
  expect(system.out()).toMatch(/not searched: dimm\n/);
});

it("Ctrl-C ends a look at what ends, which does not blame a bound", LONG, async () => {
  const system = stopping(/states and the steps/);
  expect(await main(["check", "tide", "--config", "three-vcpus", "--progress"], system)).toBe(130);
  expect(system.out()).toMatch(/not known, stopped by you\n$/);
});

it.each(["breadth", "walks"])(
  "Ctrl-C ends a check (%s) that is still finding out what changes",
  LONG,
  async (search) => {
    const system = stopping(/three-vcpus: finding out/);
    expect(await main([...LONG_CHECK, "--search", search], system)).toBe(130);
    expect(system.out()).toContain("not searched: three-vcpus, dimm\n");
  },
);

it("a check that was stopped goes on from its checkpoint and leaves nothing behind", LONG, async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-check-"));
  const path = join(folder, "kept");
  const args = ["check", "tide", "--config", "grow-shrink,replug", "--threads", "1", "--checkpoint", path];
  const whole = fakeSystem({});
  expect(await main([...args.slice(0, -2), "--json"], whole)).toBe(0);
  const first = stopping(/replug.*: .* states/);
  expect(await main(args, first)).toBe(130);
  expect(first.out()).toContain(`the same command goes on from ${path}\n`);
  expect(readdirSync(folder)).toHaveLength(1);
  const files = Object.fromEntries(first.files);
  const second = fakeSystem(files);
  expect(await main([...args, "--json"], second)).toBe(0);
  const countsOf = (system: FakeSystem) =>
    JSON.parse(system.out()).checked.map(({ bytes, ...counts }: { bytes: number }) => counts);
  expect(countsOf(second)).toEqual(countsOf(whole));
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

it.each([
  ["--no-partial-order", "partialOrder"],
  ["--no-symmetry", "symmetry"],
])("a check that was stopped does not go on with %s", LONG, async (option, reduction) => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-check-"));
  const path = join(folder, "kept");
  const args = ["check", "tide", "--config", "replug", "--threads", "1", "--checkpoint", path];
  for (const [before, after] of [
    [[], [option]],
    [[option], []],
  ] as const) {
    rmSync(`${path}.replug`, { force: true });
    const stopped = stopping(/replug.*: .* states/);
    expect(await main([...args, ...before], stopped)).toBe(130);
    const other = fakeSystem(Object.fromEntries(stopped.files));
    expect(await main([...args, ...after], other)).toBe(2);
    const [expected, found] = before.length === 0 ? [false, true] : [true, false];
    expect(other.err()).toBe(
      `${path}.replug: the checkpoint is of another search: expected ${reduction} ${expected}, found ${found}; delete it and begin anew\n`,
    );
  }
  rmSync(folder, { recursive: true });
});

it("the reductions can be switched off, and the result says which there were", LONG, async () => {
  const check = async (...options: string[]) => {
    const system = fakeSystem({});
    const args = ["check", "tide", "--config", "moved-or-freed", ...options];
    expect([await main(args, system), system.err()]).toEqual([0, ""]);
    return system.out();
  };
  expect(await check()).toMatch(/^reductions: symmetry, partial order\nconfiguration /);
  expect(await check("--no-symmetry", "--max-depth", "1000")).toMatch(/^reductions: none\n/);
  const [reduced, full] = [await check("--json"), await check("--json", "--no-partial-order")].map(
    (told) => JSON.parse(told).checked[0],
  );
  const sorted = {
    interchangeable: ["vCPUs whose users do the same"],
    toldApart: ["units of memory", "DIMM slots"],
  };
  expect([reduced.reductions, full.reductions]).toEqual([
    { symmetry: true, partialOrder: true, ...sorted },
    { symmetry: true, partialOrder: false, ...sorted },
  ]);
  const [named] = JSON.parse(await check("--json", "--no-symmetry")).checked;
  expect([named.reductions.interchangeable, named.reductions.toldApart]).toEqual([
    [],
    ["units of memory", "DIMM slots", "vCPUs"],
  ]);
  expect(reduced.states).toBeLessThan(full.states);
  const [fewest] = JSON.parse(await check("--json", "--disjoint-steps")).checked;
  expect(fewest.reductions).toMatchObject({ symmetry: true, partialOrder: true, disjoint: true });
  expect(fewest.states).toBeLessThan(reduced.states);
});

it("what breaks under disjoint steps is told as without them", LONG, async () => {
  const told = async (...options: string[]) => {
    const system = fakeSystem({});
    expect(await main(["check", "bitmaps", "--config", "grow-shrink", ...options], system)).toBe(1);
    return system.out().replace(/ [\d.]+ s /g, "");
  };
  const usual = await told();
  const disjoint = await told("--disjoint-steps");
  expect(disjoint).toMatch(
    /^reductions: symmetry, partial order, disjoint steps; where something broke: symmetry\n/,
  );
  expect(disjoint.replace(", disjoint steps", "")).toBe(usual);
});

it("walks take the same ways for the same seeds, and say so", LONG, async () => {
  const walk = async (...options: string[]) => {
    const system = fakeSystem({});
    const args = ["check", "bitmaps", "--config", "grow-shrink", "--walks", "5", "--json", ...options];
    return [await main(args, system), JSON.parse(system.out()).checked[0]];
  };
  const [status, first] = await walk("--search", "walks");
  expect(await walk("--search", "walks")).toEqual([status, first]);
  expect([status, first.broken, first.walks, first.verdict]).toEqual([1, ["I15"], 1, "broken"]);
  const [, held] = await walk("--search", "pct", "--rules", "I3", "--seed", "7");
  expect(held).toMatchObject({ verdict: "partial", end: "walks", walks: 5, firstSeed: 7, rested: 5 });
});

it("hazards are told as JSON, and the story of the first is saved", LONG, async () => {
  const system = fakeSystem({});
  const args = [
    "check",
    "bitmaps",
    "--hazards",
    "--config",
    "grow-shrink",
    "--json",
    "--save",
    "a",
    "--itf",
    "b",
  ];
  expect(await main(args, system)).toBe(1);
  const { hazards } = JSON.parse(system.out());
  expect(hazards.find(({ checked }: { checked: unknown }) => checked !== null)).toMatchObject({
    hazard: { id: "H1" },
    checked: { broken: ["I2"] },
  });
  expect([...system.files.keys()]).toEqual(["a", "b"]);
});

it("a terminal sees how far a check is, and nothing of it stays", LONG, async () => {
  const system = stopping(/three-vcpus.*: .* states, .*\/s, /);
  await main(LONG_CHECK, system);
  expect(system.err()).toMatch(
    /three-vcpus.*: [\d ]+ states, [\d ]+\/s, depth \d+, [\d ]+ to expand, \d+ MiB, collision \de-\d+/,
  );
  expect(system.err().endsWith("\r\u001b[K")).toBe(true);
});
