import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { CACHE, ROOT } from "./checkout.mjs";
import { BuildFailure } from "./failure.mjs";

/** What is bundled. It exports `runProcess()`, which bin/launch.mjs calls. */
export const ENTRY = join("src", "cli", "entry.ts");
const PROGRAM = "tidemark.mjs";
const RECORD = join(CACHE, "dist-sources.json");
/** What decides the bundle besides the sources it is made of. package-lock.json stands for node_modules. */
const ALWAYS = ["package.json", "package-lock.json", "tsconfig.json", relative(ROOT, import.meta.filename)];
/** Chunks of an older build stay this long: a process that runs may still load one on demand. */
const KEEP_CHUNKS = 24 * 3_600_000;

/** A file's time may lag behind the clock we read by a tick of the kernel, in milliseconds. */
const CLOCK_GRAIN = 10;

/** CommonJS packages in the bundle ask for Node's own modules by `require`, which ESM does not have. */
const BANNER = [
  'import { createRequire as createBundleRequire } from "node:module";',
  "const require = createBundleRequire(import.meta.url);",
].join("\n");

/** Cryptography takes a while to load, and is needed only for a file whose time says nothing. */
const digest = (path) =>
  process.getBuiltinModule("node:crypto").createHash("sha256").update(readFileSync(path)).digest("hex");

/** True if the file is what it was: same time and size, or else the same contents (a copy, a checkout). */
const unchanged = (root, [path, was]) => {
  const file = join(root, path);
  const now = statSync(file, { throwIfNoEntry: false });
  if (now === undefined || now.size !== was.size) return false;
  return now.mtimeMs === was.mtime || digest(file) === was.digest;
};

/** True if dist/ is whole and made from the sources as they are. */
export const distIsFresh = (root) => {
  try {
    const { inputs, outputs } = JSON.parse(readFileSync(join(root, RECORD), "utf8"));
    const whole = outputs.every((name) => existsSync(join(root, "dist", name)));
    return whole && Object.entries(inputs).every((input) => unchanged(root, input));
  } catch {
    return false;
  }
};

/** A source that was saved while we built may be newer than what went into the bundle: it counts as changed. */
const recordOf = (root, path, begun) => {
  const { mtimeMs, size } = statSync(join(root, path));
  if (mtimeMs >= begun - CLOCK_GRAIN) return { mtime: 0, size, digest: "changed while it was bundled" };
  return { mtime: mtimeMs, size, digest: digest(join(root, path)) };
};

const bundle = async (root) => {
  const { buildSync } = await import("esbuild");
  try {
    return buildSync({
      absWorkingDir: root,
      entryPoints: { tidemark: ENTRY },
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
      outExtension: { ".js": ".mjs" },
      // Every chunk lies next to the program, so import.meta.url has the same depth in each.
      chunkNames: "[name]-[hash]",
      banner: { js: BANNER },
      logLevel: "silent",
    });
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error;
    throw new BuildFailure(error.errors.map(errorLine).join("\n"), { cause: error });
  }
};

const errorLine = ({ location, text }) =>
  location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`;

/** Chunks first, each under the name its contents give it, then the program that loads them, in one step. */
const write = (folder, files) => {
  mkdirSync(folder, { recursive: true });
  const programLast = [...files].sort((a, b) => Number(a.name === PROGRAM) - Number(b.name === PROGRAM));
  for (const { name, contents } of programLast) {
    const next = join(folder, `.${name}.new`);
    writeFileSync(next, contents);
    renameSync(next, join(folder, name));
  }
};

const removeOthers = (folder, names, keepFor) => {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!names.includes(name) && Date.now() - statSync(path).mtimeMs >= keepFor)
      rmSync(path, { recursive: true });
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
  const { outputFiles, metafile } = await bundle(root);
  const files = outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }));
  const sources = Object.keys(metafile.inputs).filter((path) => !path.includes("node_modules/"));
  const settings = ALWAYS.filter((path) => existsSync(join(root, path)));
  const inputs = [...sources, ...settings].map((path) => [path, recordOf(root, path, begun)]);
  const folder = join(root, "dist");
  write(folder, files);
  const names = files.map(({ name }) => name);
  removeOthers(folder, names, clean ? 0 : KEEP_CHUNKS);
  mkdirSync(dirname(join(root, RECORD)), { recursive: true });
  writeFileSync(join(root, RECORD), JSON.stringify({ inputs: Object.fromEntries(inputs), outputs: names }));
};
