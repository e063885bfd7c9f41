// npm run build: dist/ anew, with nothing of older builds in it. npm runs it before it packs.

import { requireNode } from "../bin/node-version.mjs";

requireNode();
import("./set-up/prepare.mjs").then(({ prepareToRun }) =>
  prepareToRun({ packages: true, dist: true, rebuild: true }),
);
