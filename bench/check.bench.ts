import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isMainThread } from "node:worker_threads";
import { BreadthFirst } from "../src/check/breadth-first.ts";
import {
  ALL_REDUCTIONS,
  NO_REDUCTIONS,
  type Reductions,
} from "../src/check/machine/reductions/reductions.ts";
import { walkRandomly } from "../src/check/random-walks.ts";
import { closedForms, UnitAcceptance, type UnitAcceptanceOptions } from "../src/check/unit-acceptance.ts";
import { searchInParallel } from "../src/check-run/parallel-search.ts";
import { serveSearch } from "../src/check-run/serve-search.ts";
import { type SearchedMachine, searchFullSystem } from "./check/full-system.ts";
import { figure, heading, median, millions } from "./stopwatch.ts";

/**
 * The yardstick UA(N,C) here and in its peers, in turns: Debian's spin and rumur, and npm's @informalsystems/quint.
 * What is not to be had is left out with its reason. Seconds are of the clock and, behind them, of the processor.
 */
const UNITS = 10;
const VCPUS = 3;
const ROUNDS = 2;
/** What a process searches the full system with. */
const FULL_SYSTEM: ReadonlyMap<string, Reductions> = new Map([
  ["no reductions", NO_REDUCTIONS],
  ["symmetry of like users", { ...NO_REDUCTIONS, symmetry: true }],
  ["all reductions", ALL_REDUCTIONS],
]);
/** Searches of the machine itself, and the seconds of processor time of each. */
const MACHINE = { rounds: 3, seconds: 20 };
const MODELS = resolve("bench", "check");
const QUINT = { cache: resolve(".cache", "quint"), samples: 2000, steps: 50 };
/** 0.5.0-dev, which the range of Quint takes as well, does not load. */
const QUINT_PACKAGES = {
  private: true,
  dependencies: { "@informalsystems/quint": "0.33.0" },
  overrides: { antlr4ts: "0.5.0-alpha.4" },
};

interface Measured {
  readonly seconds: number;
  readonly cpu: number;
  readonly megabytes: number;
  readonly states: number;
}

type Job = {
  readonly kind: "search" | "threads";
  readonly model: UnitAcceptanceOptions;
  readonly threads: number;
};

/** What a process of its own does, so that its memory is its own. */
const runJob = async ({ kind, model, threads }: Job): Promise<Measured> => {
  const begun = process.hrtime.bigint();
  const before = process.cpuUsage();
  let states: number;
  if (kind === "threads") {
    const found = await searchInParallel({ module: new URL(import.meta.url), configuration: model, threads });
    states = found.states;
  } else {
    const search = new BreadthFirst(new UnitAcceptance(model));
    search.begin();
    states = search.run().states;
  }
  const { user, system } = process.cpuUsage(before);
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  return { seconds, cpu: (user + system) / 1e6, megabytes: process.resourceUsage().maxRSS / 1000, states };
};

/** Runs this very program with an argument. @returns what it writes */
const inProcess = (argument: string): string => {
  const args = [process.argv[1]!, argument];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout;
};

const ours = (job: Job): Measured => {
  const measured: Measured = JSON.parse(inProcess(JSON.stringify(job)));
  return measured;
};

/** Runs a peer's program under `time`. */
const timed = (program: string, args: readonly string[], states: RegExp): Measured => {
  const before = process.hrtime.bigint();
  const given = ["-f", "TIMED %U %S %M", program, ...args];
  const { stdout, stderr, status } = spawnSync("/usr/bin/time", given, {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const seconds = Number(process.hrtime.bigint() - before) / 1e9;
  const [, user, system, kilobytes] = /TIMED (\S+) (\S+) (\S+)/.exec(stderr) ?? [];
  if (status !== 0 || user === undefined) throw new Error(`${program} ends with ${status}: ${stderr}`);
  const count = Number((states.exec(stdout)?.[1] ?? "NaN").replaceAll(",", ""));
  return { seconds, cpu: Number(user) + Number(system), megabytes: Number(kilobytes) / 1000, states: count };
};

const lacks = (...programs: readonly string[]): string | undefined =>
  programs.find((program) => spawnSync(program, ["-V"], { stdio: "ignore" }).error !== undefined);

const build = (folder: string, commands: readonly (readonly [string, ...string[]])[]): void => {
  for (const [program, ...args] of commands) {
    const { status, stderr, stdout } = spawnSync(program, args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`${program} ends with ${status}: ${stderr}${stdout}`);
  }
};

const buildSpin = (folder: string): string => {
  const sizes = [`-DN=${UNITS}`, `-DC=${VCPUS}`];
  const gcc = ["gcc", "-O3", "-march=native", "-w", "-DSAFETY", "-DBFS", "-o", "pan", "pan.c"] as const;
  build(folder, [["spin", ...sizes, "-a", join(MODELS, "unit-acceptance.pml")], gcc]);
  return join(folder, "pan");
};

const buildRumur = (folder: string, symmetry: boolean): string => {
  const name = symmetry ? "classes" : "states";
  const [unit, vcpu] = symmetry ? ["scalarset(N)", "scalarset(C)"] : ["0..(N - 1)", "0..(C - 1)"];
  const source = readFileSync(join(MODELS, "unit-acceptance.m"), "utf8")
    .replace("@N@", String(UNITS))
    .replace("@C@", String(VCPUS))
    .replace("@UNIT@", unit!)
    .replace("@VCPU@", vcpu!);
  writeFileSync(join(folder, `${name}.m`), source);
  const gcc = ["-std=c11", "-O3", "-march=native", "-mcx16", "-w", "-o", name, `${name}.c`, "-lpthread"];
  const rumur = ["--deadlock-detection", "off", "--threads", "1", "-o", `${name}.c`, `${name}.m`];
  build(folder, [
    ["rumur", ...rumur],
    ["gcc", ...gcc],
  ]);
  return join(folder, name);
};

const row = (what: string, { seconds, cpu, megabytes, states }: Measured): void =>
  figure(
    what,
    `${seconds.toFixed(2)} s, ${cpu.toFixed(2)} s`,
    `${states} states, ${(states / cpu / 1e6).toFixed(2)} M/s of CPU, ${megabytes.toFixed(0)} MB`,
  );

const ratio = (what: string, theirs: Measured, our: Measured, goal: string): void =>
  figure(
    what,
    `${(theirs.seconds / our.seconds).toFixed(1)} x, ${(theirs.cpu / our.cpu).toFixed(1)} x`,
    `memory ${(our.megabytes / theirs.megabytes).toFixed(2)}; ${goal}`,
  );

/** Of several runs, the one that took the processor least. */
const best = (runs: readonly Measured[]): Measured => runs.reduce((a, b) => (b.cpu < a.cpu ? b : a));

const besideSpin = (folder: string): void => {
  const model = { units: UNITS, vcpus: VCPUS };
  const pan = lacks("spin", "gcc", "/usr/bin/time") === undefined ? buildSpin(folder) : undefined;
  const [one, two, spin]: [Measured[], Measured[], Measured[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    one.push(ours({ kind: "search", model, threads: 1 }));
    if (pan !== undefined) spin.push(timed(pan, ["-w24"], /(\d+) states, stored/));
    two.push(ours({ kind: "threads", model, threads: 2 }));
  }
  row("ours, one thread", best(one));
  row("ours, two threads", best(two));
  if (best(one).states !== closedForms(UNITS, VCPUS).states)
    throw new Error("the count is not the closed form's");
  if (pan === undefined) {
    figure(
      "SPIN -DBFS",
      "left out",
      `${lacks("spin", "gcc", "/usr/bin/time")} is missing: apt-get install spin gcc time`,
    );
    return;
  }
  row("SPIN -DBFS", best(spin));
  ratio("one thread beside SPIN", best(spin), best(one), "goal: more than 1 x, memory below 0.5");
  ratio("two threads beside SPIN", best(spin), best(two), "goal: 3 x of the clock, memory below 0.5");
};

const besideRumur = (folder: string): void => {
  const model = { units: UNITS, vcpus: VCPUS, symmetry: true };
  const symmetric = ours({ kind: "search", model, threads: 1 });
  row(`ours, symmetry, UA(${UNITS},${VCPUS}); goal: 0.05 s`, symmetric);
  row(
    "ours, symmetry, UA(64,4); goal: 0.5 s",
    ours({ kind: "search", model: { units: 64, vcpus: 4, symmetry: true }, threads: 1 }),
  );
  const missing = lacks("rumur", "gcc", "/usr/bin/time");
  if (missing !== undefined) {
    figure("Rumur", "left out", `${missing} is missing: apt-get install rumur gcc time`);
    return;
  }
  const count = /([\d,]+) states,/;
  row("Rumur", timed(buildRumur(folder, false), [], count));
  row("Rumur, scalarsets", timed(buildRumur(folder, true), [], count));
};

const quint = (): string | undefined => {
  const program = join(QUINT.cache, "node_modules", ".bin", "quint");
  if (existsSync(program)) return program;
  mkdirSync(QUINT.cache, { recursive: true });
  writeFileSync(join(QUINT.cache, "package.json"), JSON.stringify(QUINT_PACKAGES));
  const options = { cwd: QUINT.cache, stdio: "ignore" } as const;
  const { status } = spawnSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], options);
  return status === 0 && existsSync(program) ? program : undefined;
};

const besideQuint = (): void => {
  const { samples, steps } = QUINT;
  const system = new UnitAcceptance({ units: 8, vcpus: 3 });
  walkRandomly(system, { firstSeed: 0, walks: samples, steps });
  const begun = process.hrtime.bigint();
  const walked = walkRandomly(system, { firstSeed: 0, walks: 50 * samples, steps });
  const rate = walked.steps / (Number(process.hrtime.bigint() - begun) / 1e9);
  figure(`ours, random walks of ${steps} steps, UA(8,3)`, millions(rate), "steps, of the clock");
  const program = quint();
  if (program === undefined) {
    figure("Quint", "left out", "npm cannot install @informalsystems/quint");
    return;
  }
  const args = ["run", "--backend=typescript", "--main=yardstick", `--max-samples=${samples}`];
  const spec = join(MODELS, "unit_acceptance.qnt");
  const { stdout } = spawnSync(
    program,
    [...args, `--max-steps=${steps}`, "--invariant=sound", "--seed=1", spec],
    { encoding: "utf8" },
  );
  const traces = /\((\d+)ms at (\d+) traces\/second\)/.exec(stdout)?.[2];
  if (traces === undefined) {
    figure("Quint", "left out", stdout.split("\n").at(-2) ?? "it said nothing");
    return;
  }
  const theirs = Number(traces) * steps;
  figure("Quint, TypeScript backend", `${theirs.toFixed(0)} /s`, "steps, of the clock");
  figure("random walks beside Quint", `${(rate / theirs).toFixed(0)} x`, "goal: 100 x");
};

/** The machine itself: how fast its states are found, and what one of them weighs. */
const fullSystem = (reduced: string): void => {
  const { rounds, seconds } = MACHINE;
  heading(
    `the machine itself, ${reduced}: 4 vCPUs, 8 sub-blocks, virtio-mem, bitmaps; median of ${rounds}, ${seconds} s each`,
  );
  const runs = Array.from({ length: rounds }, (): SearchedMachine => JSON.parse(inProcess(reduced)));
  const per = (value: (run: SearchedMachine) => number): string => median(runs.map(value)).toFixed(0);
  figure(
    "states a second of processor time",
    per((run) => run.states / run.seconds),
    reduced === "no reductions" ? "goal: 200000" : "",
  );
  figure(
    "transitions",
    per((run) => run.transitions / run.seconds),
    "of the same second",
  );
  figure(
    "states",
    per((run) => run.states),
    `depth ${per((run) => run.depth)}`,
  );
  figure(
    "bytes a state, table and links",
    per((run) => run.visitedBytes / run.states),
    "goal: 64",
  );
  figure(
    "bytes a state that waits in the frontier",
    per((run) => run.frontierBytes / run.frontier),
    `${per((run) => run.frontier)} states`,
  );
};

const main = (): void => {
  mkdirSync(resolve(".cache"), { recursive: true });
  const folder = mkdtempSync(join(resolve(".cache"), "bench-check-"));
  try {
    heading(`the yardstick UA(${UNITS},${VCPUS}), every state, best of ${ROUNDS} in turns: clock, processor`);
    besideSpin(folder);
    besideRumur(folder);
    besideQuint();
    for (const reduced of FULL_SYSTEM.keys()) fullSystem(reduced);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const job = process.argv[2];
if (!isMainThread)
  serveSearch((configuration) => new UnitAcceptance(JSON.parse(JSON.stringify(configuration))));
else if (job === undefined) main();
else if (FULL_SYSTEM.has(job))
  process.stdout.write(JSON.stringify(await searchFullSystem(MACHINE.seconds, FULL_SYSTEM.get(job)!)));
else process.stdout.write(JSON.stringify(await runJob(JSON.parse(job))));
