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

/** Certificates that the environment asks Node to read at each start take 50 ms, and are no work of the command. */
const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;

/** What a program of Node took, milliseconds. */
interface Taken {
  readonly clock: number;
  /** User's and system's processor time of all threads, each rounded down to what the shell counts in, 10 ms. */
  readonly processor: number;
}

const shellTime = (args: readonly string[]): Taken => {
  const command = ["-c", '"$@" >/dev/null || exit 1; times', "sh", process.execPath, ...args];
  const begun = performance.now();
  const { status, stdout } = spawnSync("sh", command, { encoding: "utf8", env });
  const clock = performance.now() - begun;
  if (status !== 0) throw new Error(`${args.join(" ")} did not end well`);
  // Two lines: the shell's own user and system time, and that of what it ran.
  const [, ofChildren = ""] = stdout.trim().split("\n");
  const times = [...ofChildren.matchAll(/(\d+)m([\d.]+)s/g)];
  const processor = times.reduce((sum, [, min, sec]) => sum + Number(min) * 60e3 + Number(sec) * 1e3, 0);
  return { clock, processor };
};

const showTaken = (what: string, args: readonly string[], goal: string): void => {
  const taken = Array.from({ length: RUNS.before + RUNS.measured }, () => shellTime(args)).slice(RUNS.before);
  for (const kind of ["processor", "clock"] as const) {
    const times = taken.map((one) => one[kind]);
    const best = `at best ${milliseconds(Math.min(...times))}`;
    figure(`${what}, ${kind}`, milliseconds(median(times)), `${best}${goal}`);
  }
};

heading("tidemark compare virtio-mem-replug from the shell: the first time in a process");
showTaken("an empty Node program", ["-e", "0"], "");
for (const designs of [SEVEN, DESIGN_NAMES]) {
  const args = ["bin/tidemark.mjs", "compare", "virtio-mem-replug", "--designs", designs.join(",")];
  showTaken(`${designs.length} designs`, args, designs === SEVEN ? "; goal: 500 ms" : "");
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
