// Read by every entry point before anything else, hence no imports and no syntax newer than ES2015: an old
// Node must get as far as printing the line below.

/** Oldest Node that runs Tidemark; package.json's "engines" says the same. */
export const OLDEST_NODE = [20, 19];

/** What to tell the user of a Node that is too old, as one line; undefined if `version` ("20.19.0") will do. */
export function nodeTooOld(version) {
  const parts = version.split(".").map(Number);
  const major = parts[0];
  const minor = parts[1];
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return undefined;
  return `tidemark: needs Node ${OLDEST_NODE.join(".")} or newer, this is ${version} (https://nodejs.org has newer ones)`;
}

/** Ends the process with status 3, "the world could not be run", if this Node is too old. */
export function requireNode() {
  const complaint = nodeTooOld(process.versions.node);
  if (complaint === undefined) return;
  process.stderr.write(`${complaint}\n`);
  process.exit(3);
}
