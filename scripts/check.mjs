// npm run check [-- --static]: format, lint, types, docs/coverage.md, tests. Stops at the first failure.
// With --static it leaves out the tests, and prints a summary line only if it fails.

import { requireNode } from "../bin/node-version.mjs";

// This file is parsed before the version of Node is known: see bin/node-version.mjs.
const STEPS = [
  { name: "format", command: ["@biomejs/biome/bin/biome", "format", "."], cure: "npm run format" },
  { name: "lint", command: ["@biomejs/biome/bin/biome", "ci", "--formatter-enabled=false", "."] },
  { name: "types", command: ["typescript/bin/tsc", "-p", "tsconfig.json"] },
  { name: "types, pure", command: ["typescript/bin/tsc", "-p", "tsconfig.pure.json"] },
  { name: "coverage", script: ["scripts/coverage-doc.mjs", "--check"], cure: "npm run coverage-doc" },
];

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

const heading = (name) => process.stdout.write(`${name.padEnd(12)} `);

/** Runs one step quietly; what it printed is shown only if it failed. */
const passes = async ({ name, command, script, cure }) => {
  const { ROOT } = await import("./set-up/checkout.mjs");
  const { runChild } = await import("./set-up/signals.mjs");
  const begun = performance.now();
  heading(name);
  const args = script === undefined ? [`node_modules/${command[0]}`, ...command.slice(1)] : script;
  const { status, output } = await runChild(process.execPath, args, { cwd: ROOT, output: "pipe" });
  process.stdout.write(`${status === 0 ? "ok  " : "FAILED  "}${seconds(begun)}\n`);
  if (status === 0) return true;
  process.stdout.write(`\n${output.trim()}\n\ntidemark: check failed at "${name}"`);
  process.stdout.write(`${cure === undefined ? "" : `; ${cure} may mend it`}\n`);
  return false;
};

const check = async (args) => {
  const { setUp, statusOfFailure } = await import("./set-up/prepare.mjs");
  const { printSummary, runTests } = await import("./run-tests.mjs");
  try {
    await setUp({ packages: true, dist: false });
    for (const step of STEPS) {
      if (await passes(step)) continue;
      printSummary({ passed: 0, failed: 1 });
      return 1;
    }
  } catch (error) {
    const status = statusOfFailure(error);
    printSummary({ passed: 0, failed: 1 });
    return status;
  }
  if (args.includes("--static")) return 0;
  process.stdout.write("tests\n");
  return runTests([]);
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(() => check(process.argv.slice(2))));
