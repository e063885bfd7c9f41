// npm run fuzz [-- INPUTS]: damaged artifacts through every decoder, 10 million unless told otherwise. It goes on where it stopped; what
// it has found lies in .cache/fuzz, and goes away with it.

import { requireNode } from "../bin/node-version.mjs";

const fuzz = async (args) => {
  const { mkdirSync } = await import("node:fs");
  const { join } = await import("node:path");
  const { buildSync } = await import("esbuild");
  const { BESIDE_PACKAGES } = await import("./set-up/bundle.mjs");
  const { CACHE, ROOT } = await import("./set-up/checkout.mjs");
  const { setUp } = await import("./set-up/prepare.mjs");
  const { runChild } = await import("./set-up/signals.mjs");
  await setUp({ packages: true, dist: false });
  const folder = join(ROOT, CACHE, "fuzz");
  mkdirSync(folder, { recursive: true });
  // One folder below the root, as the sources are that find their data from where they lie.
  const file = join(ROOT, CACHE, "fuzz.mjs");
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: ["test/artifacts/fuzz-campaign.ts"],
    outfile: file,
    ...BESIDE_PACKAGES,
    minifySyntax: true,
  });
  return (await runChild(process.execPath, [file, folder, ...args], { cwd: ROOT })).status ?? 1;
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(() => fuzz(process.argv.slice(2))));
