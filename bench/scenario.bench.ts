import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DESIGN_NAMES } from "../src/designs/designs.ts";
import { boot } from "../src/machine/boot.ts";
import { Machine } from "../src/machine/machine.ts";
import { loadScenario } from "../src/scenario/load.ts";
import { Actions, Names } from "../src/scenario/model/model-actions.ts";
import { machineConfigOf } from "../src/scenario/model/model-config.ts";
import { ModelWorld } from "../src/scenario/model/model-world.ts";
import { play } from "../src/scenario/player.ts";
import type { Scenario } from "../src/scenario/scenario.ts";
import { figure, heading, median, millions, processorSeconds, seconds } from "./stopwatch.ts";

const folder = resolve("scenarios");

const load = (name: string): Scenario => {
  const file = join(folder, `${name}.yaml`);
  return loadScenario(readFileSync(file, "utf8"), {
    file,
    designs: DESIGN_NAMES,
    readBytes: (path) => readFileSync(resolve(dirname(file), path)),
  });
};

/** Plays before and while it is measured: "once loaded" means compiled too. */
const PLAYS = { before: 200, measured: 100 };

/** Milliseconds of processor time of one play: machine, boot, all steps with invariants on, expectations, report. */
const playTime = async (scenario: Scenario): Promise<number> => {
  const begun = process.cpuUsage();
  const { report } = await play(scenario, new ModelWorld(), { version: "bench" });
  const { user, system } = process.cpuUsage(begun);
  if (report.verdict !== "held") throw new Error(`${scenario.name} ${report.verdict}`);
  return (user + system) / 1e3;
};

heading("bundled hotplug scenarios, loaded once, played again and again: the whole play and its report");
for (const name of ["virtio-mem-replug", "dimm-replug"]) {
  const scenario = load(name);
  const times: number[] = [];
  for (let run = 0; run < PLAYS.before + PLAYS.measured; run++) times.push(await playTime(scenario));
  const measured = times.slice(PLAYS.before);
  const best = `at best ${Math.min(...measured).toFixed(1)} ms`;
  figure(
    name,
    `${median(measured).toFixed(1)} ms`,
    `${best}, the first time ${times[0]!.toFixed(0)} ms; goal: 10 ms`,
  );
}

heading("machine steps with invariants on, virtio-mem grows and shrinks by 3 GiB again and again");
const grower = load("virtio-mem-replug");
const rates: number[] = [];
for (let run = 0; run < 9; run++) {
  const machine = new Machine(machineConfigOf(grower));
  boot(machine);
  const actions = new Actions(machine, new Names());
  const place = grower.steps[0]!.place;
  const resize = (to: number) => actions.perform({ kind: "resize", device: "vm0", to, place });
  const before = machine.scheduler.steps;
  const time = processorSeconds(() => {
    for (let round = 0; round < 8; round++) {
      resize(3 * 2 ** 30);
      resize(0);
    }
  });
  if (machine.halted) throw new Error(machine.whyHalted);
  rates.push((machine.scheduler.steps - before) / time);
}
figure(
  "steps a second",
  millions(median(rates.slice(2))),
  `at best ${millions(Math.max(...rates))}; goal: 1 M/s`,
);

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
