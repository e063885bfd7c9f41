// npm start [-- ARGUMENTS]: everything a clean checkout needs, then the program.

import { requireNode } from "../bin/node-version.mjs";

/** What `npm start` runs when it is given no arguments; the file is below the checkout. */
const MAIN_JOB = { command: "run", scenario: "scenarios/real-srat.yaml" };

/**
 * npm runs scripts in the folder of package.json. File names on the command line mean what they mean in the
 * user's shell, so that is where the program has to be.
 */
const goWhereTheUserIs = () => {
  const byNpm = process.env.npm_lifecycle_event === "start";
  if (byNpm && process.env.INIT_CWD) process.chdir(process.env.INIT_CWD);
};

const main = async () => {
  const { join, relative } = await import("node:path");
  const { ROOT } = await import("./set-up/checkout.mjs");
  const { prepareToRun } = await import("./set-up/prepare.mjs");
  const { launch } = await import("../bin/launch.mjs");
  if (!(await prepareToRun({ packages: true, dist: true }))) return;
  goWhereTheUserIs();
  const given = process.argv.slice(2);
  const scenario = relative(process.cwd(), join(ROOT, MAIN_JOB.scenario));
  await launch(given.length > 0 ? given : [MAIN_JOB.command, scenario]);
};

requireNode();
main();
