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
    const options = { threads, checkpoint: { path, everyMs: 3_600_000, version: "1" } };
    const model = { units: 8, vcpus: 3 };
    const { states, transitions } = closedForms(8, 3);
    const first = await run(model, { ...options, progress: () => false });
    expect(first.end).toBe("interrupted");
    expect(first.states).toBeLessThan(states);
    expect(await run(model, options)).toMatchObject({ end: "complete", states, transitions });
    expect(existsSync(path)).toBe(false);
  },
);

it("a checkpoint of another search is refused", async () => {
  const path = join(yardstick.folder, "other.checkpoint");
  const checkpoint = { path, everyMs: 0, version: "1" };
  await run({ units: 6, vcpus: 3 }, { checkpoint, limits: { states: 1000 } });
  await expect(run({ units: 6, vcpus: 2 }, { checkpoint })).rejects.toThrow(CheckpointError);
  await expect(run({ units: 6, vcpus: 3 }, { checkpoint, partialOrder: true })).rejects.toThrow(
    "of another search",
  );
  expect(await run({ units: 6, vcpus: 3 }, { checkpoint })).toMatchObject({ end: "complete" });
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
