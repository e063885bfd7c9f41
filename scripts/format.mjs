// npm run format [-- PATHS]: mends what format and lint can mend, everywhere or in the paths named.

import { requireNode } from "../bin/node-version.mjs";

const format = async (paths) => {
  const { ROOT } = await import("./set-up/checkout.mjs");
  const { setUp } = await import("./set-up/prepare.mjs");
  const { runChild } = await import("./set-up/signals.mjs");
  await setUp({ packages: true, dist: false });
  const args = [
    "node_modules/@biomejs/biome/bin/biome",
    "check",
    "--write",
    ...(paths.length > 0 ? paths : ["."]),
  ];
  return (await runChild(process.execPath, args, { cwd: ROOT })).status;
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(() => format(process.argv.slice(2))));
