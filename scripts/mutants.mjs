// npm run mutants [-- NAME ...]: makes one line of the program wrong after the other and looks whether `check` finds it.
// Without names all of them; a name is the beginning of a mutant's, a file's or a bug's. Their rows of docs/mutants.md are written anew.

import { requireNode } from "../bin/node-version.mjs";

const mutants = async (names) => {
  const { mkdirSync } = await import("node:fs");
  const { join } = await import("node:path");
  const { buildSync } = await import("esbuild");
  const { BESIDE_PACKAGES } = await import("./set-up/bundle.mjs");
  const { CACHE, ROOT } = await import("./set-up/checkout.mjs");
  const { setUp } = await import("./set-up/prepare.mjs");
  const { runChild } = await import("./set-up/signals.mjs");
  await setUp({ packages: true, dist: false });
  mkdirSync(join(ROOT, CACHE), { recursive: true });
  const file = join(ROOT, CACHE, "mutants.mjs");
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: ["test/mutants/run-mutants.ts"],
    outfile: file,
    ...BESIDE_PACKAGES,
  });
  return (await runChild(process.execPath, [file, ROOT, ...names], { cwd: ROOT })).status ?? 1;
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(() => mutants(process.argv.slice(2))));
