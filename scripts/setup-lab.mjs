// npm run setup:lab [-- LINE ...]: what the linux world needs of this machine: QEMU, busybox and a kernel of each
// LINE (a series such as 6.12, or "newest"; 6.12 if none is named) in the cache. Quick when all of it is there.

import { requireNode } from "../bin/node-version.mjs";

requireNode();
Promise.all([import("./set-up/prepare.mjs"), import("./set-up/lab.mjs")]).then(
  ([{ asScript }, { setUpLab }]) => asScript(() => setUpLab(process.argv.slice(2))),
);
