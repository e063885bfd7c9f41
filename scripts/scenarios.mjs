// npm run scenarios [-- NAME ...]: plays every bundled scenario, or those whose name begins so. The last line it
// prints is "N held, N broken, N failed".

import { requireNode } from "../bin/node-version.mjs";

const ENDING = ".yaml";

const namesIn = async (folder) => {
  const { readdirSync } = await import("node:fs");
  return readdirSync(folder, { recursive: true })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .sort();
};

const parsed = (output) => {
  try {
    return JSON.parse(output);
  } catch {
    return undefined;
  }
};

/** What came first of what went wrong, on one line. */
const reasonIn = (report) => {
  const violation = report.violations.find(({ expected }) => !expected);
  if (violation !== undefined)
    return `${violation.invariant} at line ${violation.line}, step ${violation.step}: ${violation.why}`;
  const unmet = report.expectations.find(({ held }) => !held);
  return unmet === undefined
    ? ""
    : `line ${unmet.line} ${unmet.what}: expected ${unmet.expected}, found ${unmet.found}`;
};

/** Plays one scenario in a process of its own. */
const play = async (root, name) => {
  const { join } = await import("node:path");
  const { runChild } = await import("./set-up/signals.mjs");
  const begun = performance.now();
  const args = [
    join(root, "bin", "tidemark.mjs"),
    "run",
    join(root, "scenarios", `${name}${ENDING}`),
    "--json",
  ];
  const { output } = await runChild(process.execPath, args, { output: "pipe", cwd: root });
  const seconds = (performance.now() - begun) / 1000;
  const report = parsed(output);
  if (report === undefined) return { name, seconds, verdict: "failed", reason: output.split("\n")[0] };
  const { verdict } = report;
  return { name, seconds, verdict, reason: verdict === "held" ? "" : reasonIn(report) };
};

const lineOf = ({ name, seconds, verdict, reason }, width) => {
  const line = `${verdict.padEnd(6)}  ${name.padEnd(width)}  ${seconds.toFixed(1).padStart(5)} s`;
  return reason === "" ? `${line}\n` : `${line}\n        ${reason}\n`;
};

/** Plays all, as many at a time as there are processors, and tells of each in the order of their names. */
const playAll = async (root, names) => {
  const { availableParallelism } = await import("node:os");
  const width = Math.max(...names.map(({ length }) => length));
  const done = new Array(names.length);
  let [next, told] = [0, 0];
  const worker = async () => {
    while (next < names.length) {
      const place = next++;
      done[place] = await play(root, names[place]);
      while (done[told] !== undefined) process.stdout.write(lineOf(done[told++], width));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return done;
};

const scenarios = async (wanted) => {
  const { join } = await import("node:path");
  const { ROOT } = await import("./set-up/checkout.mjs");
  const { setUp } = await import("./set-up/prepare.mjs");
  const all = await namesIn(join(ROOT, "scenarios"));
  const begins = (name, start) => name.startsWith(start) || name.split("/").at(-1).startsWith(start);
  const unknown = wanted.find((start) => !all.some((name) => begins(name, start)));
  if (unknown !== undefined) {
    process.stderr.write(`tidemark: no scenario begins with ${unknown}; there are: ${all.join(", ")}\n`);
    return 2;
  }
  await setUp({ packages: true, dist: true });
  const names = wanted.length === 0 ? all : all.filter((name) => wanted.some((start) => begins(name, start)));
  const done = await playAll(ROOT, names);
  const count = (verdict) => done.filter((one) => one.verdict === verdict).length;
  process.stdout.write(`${count("held")} held, ${count("broken")} broken, ${count("failed")} failed\n`);
  return count("held") === done.length ? 0 : 1;
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(() => scenarios(process.argv.slice(2))));
