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

/** Plays files from `next()` until it answers undefined, in one process; `tell` gets each and how it ended. */
const playIn = async (root, next, tell) => {
  const { join } = await import("node:path");
  const { runChild } = await import("./set-up/signals.mjs");
  let isReady = false;
  let playing;
  let begun;
  const begin = (send) => {
    playing = next();
    begun = performance.now();
    send(playing === undefined ? null : join(root, "scenarios", `${playing}${ENDING}`));
  };
  const end = (outcome) => {
    const [name, seconds] = [playing, (performance.now() - begun) / 1000];
    playing = undefined;
    tell({ name, seconds, ...outcome });
  };
  const hear = (message, send) => {
    if (message === "ready") isReady = true;
    else end(message);
    begin(send);
  };
  const player = join(root, "scripts", "scenario-player.mjs");
  const { output } = await runChild(process.execPath, [player], { output: "pipe", cwd: root, hear });
  if (!isReady) throw new Error(`${player} did not start: ${output}`);
  // One that takes its process with it ends here; who called goes on with another process.
  const ended = "the process that played it ended";
  if (playing !== undefined) end({ verdict: "failed", reason: [output.split("\n")[0], ended].find(Boolean) });
};

const lineOf = ({ name, seconds, verdict, reason }, width) => {
  const line = `${verdict.padEnd(6)}  ${name.padEnd(width)}  ${seconds.toFixed(1).padStart(5)} s`;
  return reason === "" ? `${line}\n` : `${line}\n        ${reason}\n`;
};

/** Plays all in as many processes as there are processors, and tells of each in the order of their names. */
const playAll = async (root, names) => {
  const { availableParallelism } = await import("node:os");
  const width = Math.max(...names.map(({ length }) => length));
  const done = new Map();
  let [taken, told] = [0, 0];
  const tell = (outcome) => {
    done.set(outcome.name, outcome);
    for (; done.has(names[told]); told++) process.stdout.write(lineOf(done.get(names[told]), width));
  };
  const worker = async () => {
    while (taken < names.length) await playIn(root, () => names[taken++], tell);
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), names.length) }, worker));
  return [...done.values()];
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
