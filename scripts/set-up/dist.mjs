import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { bindParts } from "./bind-parts.mjs";
import { ROOT } from "./checkout.mjs";
import { BuildFailure } from "./failure.mjs";
import { digest, RECORD } from "./fresh.mjs";

/** What is bundled. It exports `runProcess()`, which bin/launch.mjs calls, and `openCollector()`, for scripts. */
export const ENTRY = join("src", "cli", "entry.ts");
const PROGRAM = "tidemark.mjs";
/** What decides the bundle besides the sources it is made of. package-lock.json stands for node_modules. */
const OURS = ["dist.mjs", "bind-parts.mjs"].map((name) => relative(ROOT, join(import.meta.dirname, name)));
const ALWAYS = ["package.json", "package-lock.json", "tsconfig.json", ...OURS];
/** Parts of an older build stay this long: a process that runs may still load one on demand. */
const KEEP_PARTS = 24 * 3_600_000;

/** A file's time may lag behind the clock we read by a tick of the kernel, in milliseconds. */
const CLOCK_GRAIN = 10;

/** A source that was saved while we built may be newer than what went into the bundle: it counts as changed. */
const recordOf = (root, path, begun) => {
  const { mtimeMs, size } = statSync(join(root, path));
  if (mtimeMs >= begun - CLOCK_GRAIN) return { mtime: 0, size, digest: "changed while it was bundled" };
  return { mtime: mtimeMs, size, digest: digest(join(root, path)) };
};

/** The parts as ES modules: the program first, then what it loads on demand or shares. Names tell contents apart. */
const SETTINGS = {
  entryPoints: { program: ENTRY },
  outdir: "dist",
  write: false,
  metafile: true,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  // Half the text is half the time that Node takes to read it; names stay for whoever profiles.
  minifyWhitespace: true,
  minifySyntax: true,
  outExtension: { ".js": ".cjs" },
  // Every part lies next to the others, so import.meta.url has the same depth in each.
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  define: { "import.meta.url": "moduleUrl" },
  logLevel: "silent",
};

/** What a part needs that speaks of its own place, as CommonJS has no import.meta. */
const PLACE = 'const moduleUrl=require("node:url").pathToFileURL(__filename).href;';

/** A part as a CommonJS file: bin/load-program.mjs says why. */
const asCommonJs = async (esbuild, { name, text }) => {
  const { code } = await esbuild.transform(text, {
    format: "cjs",
    platform: "node",
    target: "node20",
    minifyWhitespace: true,
    minifySyntax: true,
    // import() becomes a promise of require().
    supported: { "dynamic-import": false },
  });
  const place = text.includes("moduleUrl") ? PLACE : "";
  return { name, contents: `"use strict";${place}${code}` };
};

const programText = (first) => `import { loadProgram } from "../bin/load-program.mjs";
export const { runProcess, openCollector } = loadProgram(import.meta.url, "${first}");
`;

/** @returns the files of dist/, and the paths of what they are made of */
const bundle = async (root) => {
  const esbuild = await import("esbuild");
  try {
    const { outputFiles, metafile } = await esbuild.build({ ...SETTINGS, absWorkingDir: root });
    const modules = outputFiles.map(({ path, text }) => ({ name: basename(path), text }));
    const bound = bindParts(modules);
    const parts = await Promise.all(
      modules.map(({ name, text }) => asCommonJs(esbuild, { name, text: bound(text) })),
    );
    const first = parts.find(({ name }) => name.startsWith("program-")).name;
    const files = [...parts, { name: PROGRAM, contents: programText(first) }];
    return { files, inputs: Object.keys(metafile.inputs) };
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error;
    throw new BuildFailure(error.errors.map(errorLine).join("\n"), { cause: error });
  } finally {
    await esbuild.stop();
  }
};

const errorLine = ({ location, text }) =>
  location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`;

/** Parts first, each under the name its contents give it, then the program that loads them, in one step. */
const write = (folder, files) => {
  mkdirSync(folder, { recursive: true });
  const programLast = [...files].sort((a, b) => Number(a.name === PROGRAM) - Number(b.name === PROGRAM));
  for (const { name, contents } of programLast) {
    const next = join(folder, `.${name}.new`);
    writeFileSync(next, contents);
    renameSync(next, join(folder, name));
  }
};

/** Compiled code that bin/load-program.mjs keeps is dropped: it is good for the very text that it was made from. */
const removeOthers = (folder, names, keepFor) => {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const old = name.endsWith(".code") || Date.now() - statSync(path).mtimeMs >= keepFor;
    if (!names.includes(name) && old) rmSync(path, { recursive: true, force: true });
  }
};

/**
 * Bundles src/cli/entry.ts into dist/. node_modules is in place and the caller holds the lock.
 *
 * @param clean leave nothing of older builds, for a package to publish
 * @throws BuildFailure if the sources do not bundle; dist/ is as it was
 */
export const buildDist = async (root, { clean = false } = {}) => {
  const begun = Date.now();
  const { files, inputs: read } = await bundle(root);
  const sources = read.filter((path) => !path.includes("node_modules/"));
  const settings = ALWAYS.filter((path) => existsSync(join(root, path)));
  const inputs = [...sources, ...settings].map((path) => [path, recordOf(root, path, begun)]);
  const folder = join(root, "dist");
  write(folder, files);
  const names = files.map(({ name }) => name);
  removeOthers(folder, names, clean ? 0 : KEEP_PARTS);
  mkdirSync(dirname(join(root, RECORD)), { recursive: true });
  writeFileSync(join(root, RECORD), JSON.stringify({ inputs: Object.fromEntries(inputs), outputs: names }));
};
