import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { BreadthFirst } from "../check/breadth-first.ts";
import {
  closedForms,
  DROPPED_UNACCEPTED,
  UnitAcceptance,
  type UnitAcceptanceOptions,
} from "../check/unit-acceptance.ts";
import { CheckpointError } from "./checkpoint-file.ts";
import { keepInFile } from "./keep-in-file.ts";
import { type RunOptions, runSearch } from "./run-search.ts";
import { type BundledYardstick, bundleYardstick } from "./testing/bundled-yardstick.ts";
import type { YardstickRun } from "./testing/yardstick-search.ts";

let yardstick: BundledYardstick;
beforeAll(() => {
  yardstick = bundleYardstick();
});
afterAll(() => yardstick.remove());

const open = (options: UnitAcceptanceOptions) => new UnitAcceptance(options);
const run = (
  configuration: UnitAcceptanceOptions,
  options: Partial<RunOptions<UnitAcceptanceOptions>> = {},
) => runSearch({ open, configuration, module: yardstick.module, ...options });

const MINUTES = 60_000;

it.each([1, 2])(
  "killed and begun again on %i threads, it ends with the same counts",
  { timeout: 5 * MINUTES },
  (threads) => {
    const checkpoint = join(yardstick.folder, `killed-${threads}.checkpoint`);
    const answer = join(yardstick.folder, `killed-${threads}.json`);
    const [units, vcpus] = [9, 3];
    const start = (dies: boolean) => {
      const given: YardstickRun = {
        ...{ configuration: { units, vcpus }, threads, thread: yardstick.module.href },
        ...{ checkpoint, answer, dies },
      };
      return spawnSync(process.execPath, [yardstick.program, JSON.stringify(given)], { encoding: "utf8" });
    };
    expect(start(true)).toMatchObject({ signal: "SIGKILL", stderr: "" });
    expect(existsSync(checkpoint)).toBe(true);
    expect(start(false)).toMatchObject({ status: 0, stderr: "" });
    const { states, transitions } = closedForms(units, vcpus);
    const ended: unknown = JSON.parse(readFileSync(answer, "utf8"));
    expect(ended).toMatchObject({
      end: "complete",
      states,
      transitions,
      depth: 33,
      frontier: 0,
      goals: [0b1111],
    });
    expect(existsSync(checkpoint)).toBe(false);
  },
);

it.each([1, 2])(
  "stopped by its progress on %i threads, it keeps what is known and goes on from there",
  async (threads) => {
    const path = join(yardstick.folder, `stopped-${threads}.checkpoint`);
    const keep = () => keepInFile(path, "this one", 3_600_000);
    const model = { units: 8, vcpus: 3 };
    const { states, transitions } = closedForms(8, 3);
    const first = await run(model, { threads, keep: keep(), progress: () => false });
    expect(first.end).toBe("interrupted");
    expect(first.states).toBeLessThan(states);
    expect(await run(model, { threads, keep: keep() })).toMatchObject({
      end: "complete",
      states,
      transitions,
    });
  },
);

it("a checkpoint of another search is refused, and what differs is told", async () => {
  const path = join(yardstick.folder, "other.checkpoint");
  const keep = (vcpus: number) =>
    keepInFile(path, JSON.stringify({ version: "1", vcpus }), 0, () => "a note");
  await run({ units: 6, vcpus: 3 }, { keep: keep(3), limits: { states: 1000 } });
  expect(() => keep(2)).toThrow(CheckpointError);
  expect(() => keep(2)).toThrow("of another search: expected vcpus 2, found 3; delete it and begin anew");
  const same = keep(3);
  expect(same.note).toBe("a note");
  expect(await run({ units: 6, vcpus: 3 }, { keep: same })).toMatchObject({ end: "complete" });
});

it("one thread hands over to several once there are enough states, and they end with its counts", async () => {
  const model = { units: 8, vcpus: 3 };
  const { states, transitions } = closedForms(8, 3);
  const goesOn = { threads: 2, alone: 1000, progress: () => true };
  expect(await run(model, goesOn)).toMatchObject({ end: "complete", states, transitions, depth: 30 });
  const reduced = await run(model, { partialOrder: true });
  expect(await run(model, { ...goesOn, partialOrder: true })).toMatchObject({
    states: reduced.states,
    transitions: reduced.transitions,
  });
});

it("what several threads kept goes on from on one", async () => {
  const path = join(yardstick.folder, "fewer.checkpoint");
  const keep = () => keepInFile(path, "this one", 3_600_000);
  const model = { units: 6, vcpus: 3, bug: "guard dropped" } as const;
  const whole = await run(model);
  await run(model, { threads: 2, keep: keep(), limits: { depth: 2 } });
  const ended = await run(model, { threads: 1, keep: keep() });
  expect([ended.states, ended.violations]).toEqual([whole.states, whole.violations]);
});

it("several threads tell the stories that one thread tells", async () => {
  const model = { units: 3, vcpus: 3, bug: "page kept" } as const;
  const single = await run(model, { after: "continue" });
  expect(single.violations.map(({ violation }) => violation)).not.toContain(DROPPED_UNACCEPTED);
  expect(await run(model, { after: "continue", threads: 2 })).toMatchObject({
    violations: single.violations,
    states: single.states,
  });
  const stopping = new BreadthFirst(new UnitAcceptance(model));
  stopping.begin();
  const { violations } = stopping.run();
  expect((await run(model, { threads: 2 })).violations).toEqual(violations);
});
