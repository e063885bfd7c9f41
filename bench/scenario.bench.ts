import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DESIGN_NAMES } from "../src/designs/designs.ts";
import { boot } from "../src/machine/boot.ts";
import { Machine } from "../src/machine/machine.ts";
import { loadScenario } from "../src/scenario/load.ts";
import { Actions, Names } from "../src/scenario/model/model-actions.ts";
import { machineConfigOf } from "../src/scenario/model/model-config.ts";
import type { Scenario } from "../src/scenario/scenario.ts";
import { figure, heading, median, millions, seconds } from "./stopwatch.ts";

const folder = resolve("scenarios");

const load = (name: string): Scenario => {
  const file = join(folder, `${name}.yaml`);
  return loadScenario(readFileSync(file, "utf8"), {
    file,
    designs: DESIGN_NAMES,
    readBytes: (path) => readFileSync(resolve(dirname(file), path)),
  });
};

interface Run {
  readonly boot: number;
  readonly rest: number;
  /** Steps and seconds after the boot. */
  readonly steps: number;
}

/** Plays the actions of a scenario on a fresh machine, invariants on, trace off. */
const playOnce = (scenario: Scenario): Run => {
  const machine = new Machine(machineConfigOf(scenario));
  const bootTime = seconds(() => {
    boot(machine);
  });
  const before = machine.scheduler.steps;
  const actions = new Actions(machine, new Names());
  const rest = seconds(() => {
    for (const step of scenario.steps)
      if (!["boot", "expect", "note", "wait"].includes(step.kind)) actions.perform(step as never);
  });
  if (machine.halted) throw new Error(machine.whyHalted);
  return { boot: bootTime, rest, steps: machine.scheduler.steps - before };
};

heading("bundled hotplug scenarios, loaded once, played again and again");
for (const name of ["virtio-mem-replug", "dimm-replug"]) {
  const scenario = load(name);
  const runs = Array.from({ length: 25 }, () => playOnce(scenario)).slice(5);
  const total = median(runs.map((run) => run.boot + run.rest)) * 1e3;
  figure(`${name}: boot and all steps`, `${total.toFixed(1)} ms`, "goal: 10 ms");
  figure(`${name}: of it the hotplug steps`, `${(median(runs.map((run) => run.rest)) * 1e3).toFixed(1)} ms`);
}

heading("machine steps with invariants on, virtio-mem grows and shrinks by 3 GiB again and again");
const grower = load("virtio-mem-replug");
const rates: number[] = [];
for (let run = 0; run < 5; run++) {
  const machine = new Machine(machineConfigOf(grower));
  boot(machine);
  const actions = new Actions(machine, new Names());
  const place = grower.steps[0]!.place;
  const resize = (to: number) => actions.perform({ kind: "resize", device: "vm0", to, place });
  const before = machine.scheduler.steps;
  const time = seconds(() => {
    for (let round = 0; round < 8; round++) {
      resize(3 * 2 ** 30);
      resize(0);
    }
  });
  if (machine.halted) throw new Error(machine.whyHalted);
  rates.push((machine.scheduler.steps - before) / time);
}
figure("steps a second", millions(median(rates)), "goal: 1 M/s");

heading("tidemark run from the shell");
const shell = (args: readonly string[]): number => {
  const times = Array.from({ length: 9 }, () =>
    seconds(() => {
      const { status } = spawnSync(process.execPath, args, { stdio: "ignore" });
      if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}`);
    }),
  );
  return median(times);
};
const empty = shell(["-e", "0"]);
figure("an empty Node program", `${(empty * 1e3).toFixed(0)} ms`);
for (const name of ["virtio-mem-replug", "real-srat"]) {
  const time = shell(["bin/tidemark.mjs", "run", `scenarios/${name}.yaml`]);
  figure(`tidemark run scenarios/${name}.yaml`, `${(time * 1e3).toFixed(0)} ms`, "goal: 400 ms");
}
