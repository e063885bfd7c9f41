#!/usr/bin/env node
// The installed command. An installed package has dist/ and no src/; a checkout has src/, and builds dist/
// from it when it is missing or old. Either way the program then runs in this very process: it starts
// faster than a child would, and a signal ends it as it ends any program.

import { requireNode } from "./node-version.mjs";

const main = async () => {
  const { launch, prepare } = await import("./launch.mjs");
  if (await prepare()) await launch(process.argv.slice(2));
};

requireNode();
main();
