// Each run in a checkout asks whether dist/ is fresh before anything else: hence nothing is loaded that can wait, and an
// `import` of Node's own modules would load more of them than is used.
const { readFileSync, statSync } = process.getBuiltinModule("node:fs");

/** What dist/ was made from, below the checkout. */
export const RECORD = ".cache/dist-sources.json";

/** Cryptography takes a while to load, and is needed only for a file whose time says nothing. */
export const digest = (path) =>
  process.getBuiltinModule("node:crypto").createHash("sha256").update(readFileSync(path)).digest("hex");

const QUIETLY = { throwIfNoEntry: false };

/** True if the file is what it was: same time and size, or else the same contents (a copy, a checkout). */
const unchanged = (file, was) => {
  const now = statSync(file, QUIETLY);
  if (now === undefined || now.size !== was.size) return false;
  return now.mtimeMs === was.mtime || digest(file) === was.digest;
};

/** True if dist/ is whole and made from the sources as they are. */
export const distIsFresh = (root) => {
  try {
    const { inputs, outputs } = JSON.parse(readFileSync(`${root}/${RECORD}`, "utf8"));
    for (const name of outputs) if (statSync(`${root}/dist/${name}`, QUIETLY) === undefined) return false;
    for (const path in inputs) if (!unchanged(`${root}/${path}`, inputs[path])) return false;
    return true;
  } catch {
    return false;
  }
};
