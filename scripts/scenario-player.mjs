// Plays the bundled scenarios that scripts/scenarios.mjs names, one after the other, and answers how each ended.

import { openCollector } from "../dist/tidemark.mjs";

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

const run = openCollector();

const play = async (file) => {
  const { output } = await run(["run", file, "--json"]);
  const report = parsed(output);
  if (report === undefined) return { verdict: "failed", reason: output.split("\n")[0] };
  const { verdict } = report;
  return { verdict, reason: verdict === "held" ? "" : reasonIn(report) };
};

process.on("message", async (file) => {
  if (file === null) process.disconnect();
  else process.send(await play(file));
});
process.send("ready");
