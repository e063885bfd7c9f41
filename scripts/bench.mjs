// npm run bench [-- NAME ...]: runs every bench/NAME.bench.ts, or those named, one process each.

import { requireNode } from "../bin/node-version.mjs";

const ENDING = ".bench.ts";
/** Those that take minutes and need programs of others run only when they are named. */
const ON_REQUEST = ["lab-guest", "check"];

const benchNames = async (folder) => {
  const { existsSync, readdirSync } = await import("node:fs");
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((file) => file.endsWith(ENDING));
  return files.map((file) => file.slice(0, -ENDING.length)).sort();
};

const bundle = async (root, name, outfile) => {
  const { buildSync } = await import("esbuild");
  const { BESIDE_PACKAGES } = await import("./set-up/bundle.mjs");
  buildSync({
    absWorkingDir: root,
    entryPoints: [`bench/${name}${ENDING}`],
    outfile,
    ...BESIDE_PACKAGES,
    // As dist/ is made: V8 folds constants that esbuild has put in place.
    minifySyntax: true,
    sourcemap: "inline",
  });
};

/** Runs one bench. @returns true if it could be bundled and ended well; what it prints goes where ours goes */
const ranWell = async (root, name, file) => {
  const { runChild } = await import("./set-up/signals.mjs");
  process.stdout.write(`# ${name}\n`);
  try {
    await bundle(root, name, file);
  } catch {
    return false; // esbuild has printed why.
  }
  const args = ["--expose-gc", "--enable-source-maps", file];
  const { status } = await runChild(process.execPath, args, { cwd: root });
  return status === 0;
};

const runAll = async (root, names) => {
  const { mkdirSync, mkdtempSync, rmSync } = await import("node:fs");
  const { join } = await import("node:path");
  const { CACHE } = await import("./set-up/checkout.mjs");
  mkdirSync(join(root, CACHE), { recursive: true });
  const folder = mkdtempSync(join(root, CACHE, "bench-"));
  const failed = [];
  try {
    for (const name of names) {
      if (!(await ranWell(root, name, join(folder, `${name}.mjs`)))) failed.push(name);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return failed;
};

const bench = async (wanted) => {
  const { join } = await import("node:path");
  const { ROOT } = await import("./set-up/checkout.mjs");
  const { setUp } = await import("./set-up/prepare.mjs");
  const names = await benchNames(join(ROOT, "bench"));
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    process.stderr.write(
      `tidemark: no bench/${unknown}${ENDING}; there are: ${names.join(", ") || "none"}\n`,
    );
    return 2;
  }
  await setUp({ packages: true, dist: false });
  const usual = names.filter((name) => !ON_REQUEST.includes(name));
  const failed = await runAll(ROOT, wanted.length > 0 ? wanted : usual);
  if (failed.length > 0) process.stderr.write(`tidemark: failed: ${failed.join(", ")}\n`);
  return failed.length > 0 ? 1 : 0;
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(() => bench(process.argv.slice(2))));
