// npm test [-- ARGUMENTS FOR VITEST]: everything a clean checkout needs, then the tests. The last line it
// prints is "N passed, N failed", whatever happens.

import { requireNode } from "../bin/node-version.mjs";

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) =>
  asScript(async () => (await import("./run-tests.mjs")).runTests(process.argv.slice(2))),
);
