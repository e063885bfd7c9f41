import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DESIGN_NAMES } from "../src/designs/designs.ts";
import { compareDesigns } from "../src/scenario/design-comparison.ts";
import { loadScenario } from "../src/scenario/load.ts";
import { ModelWorld } from "../src/scenario/model/model-world.ts";
import { figure, heading, median } from "./stopwatch.ts";

const SEVEN = ["none", "notifier", "callbacks", "window", "bitmaps", "shared", "tide"];
const milliseconds = (ms: number): string => `${ms.toFixed(0)} ms`;

/** Runs of a command, the first of which is the one that keeps what it compiled for those after it. */
const RUNS = { before: 2, measured: 9 };

/** Milliseconds of processor time, the system's included, that a program of Node took, as the shell counts them. */
const shellTime = (args: readonly string[]): number => {
  const command = ["-c", '"$@" >/dev/null || exit 1; times', "sh", process.execPath, ...args];
  const { status, stdout } = spawnSync("sh", command, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")} did not end well`);
  // Two lines: the shell's own user and system time, and that of what it ran.
  const [, ofChildren = ""] = stdout.trim().split("\n");
  const times = [...ofChildren.matchAll(/(\d+)m([\d.]+)s/g)];
  return times.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60e3 + Number(seconds) * 1e3, 0);
};

heading("tidemark compare virtio-mem-replug from the shell, processor time: the first time in a process");
for (const designs of [SEVEN, DESIGN_NAMES]) {
  const args = ["bin/tidemark.mjs", "compare", "virtio-mem-replug", "--designs", designs.join(",")];
  const times = Array.from({ length: RUNS.before + RUNS.measured }, () => shellTime(args));
  const measured = times.slice(RUNS.before);
  const best = `at best ${milliseconds(Math.min(...measured))}`;
  const goal = designs === SEVEN ? "; goal: 500 ms" : "";
  figure(`${designs.length} designs`, milliseconds(median(measured)), `${best}${goal}`);
}

const file = join(resolve("scenarios"), "virtio-mem-replug.yaml");
const scenario = loadScenario(readFileSync(file, "utf8"), {
  file,
  designs: DESIGN_NAMES,
  readBytes: (path) => readFileSync(resolve(dirname(file), path)),
});

const open = async () => new ModelWorld();

heading("tidemark compare virtio-mem-replug, loaded once");
/** Processor time rather than the clock's: other work on the machine counts for little. Garbage collection is in it. */
const spent = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const times: number[] = [];
for (let run = 0; run < 7; run++) {
  const begun = spent();
  await compareDesigns(scenario, { version: "bench", designs: DESIGN_NAMES, open });
  times.push(spent() - begun);
}
const first = `the first time ${milliseconds(times[0]!)}, with V8 as it comes`;
figure(`${DESIGN_NAMES.length} designs, again`, milliseconds(median(times.slice(2))), first);
