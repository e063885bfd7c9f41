// As in load-program.mjs: an `import` would load more of Node than is used.
const { existsSync } = process.getBuiltinModule("node:fs");
const { fileURLToPath } = process.getBuiltinModule("node:url");

const root = new URL("../", import.meta.url);

/**
 * Brings a checkout's dist/ up to date. An installed package has neither sources nor scripts, and needs none.
 *
 * @returns false if that failed; the user was told and the exit status is set
 */
export const prepare = async () => {
  if (!existsSync(new URL("src", root)) || !existsSync(new URL("scripts/set-up", root))) return true;
  const { distIsFresh } = await import("../scripts/set-up/fresh.mjs");
  // The usual case is quick: what sets up is loaded only when there is something to set up.
  if (distIsFresh(fileURLToPath(new URL(".", root)))) return true;
  const { prepareToRun } = await import("../scripts/set-up/prepare.mjs");
  return prepareToRun({ packages: false, dist: true });
};

/** Runs the program with `args`, in this process: it has the arguments, the streams and the exit status. */
export const launch = async (args) => {
  const program = new URL("dist/tidemark.mjs", root);
  if (!existsSync(program)) {
    process.stderr.write("tidemark: dist/tidemark.mjs is missing from this package; install it again\n");
    process.exitCode = 3;
    return;
  }
  process.argv = [process.argv[0], fileURLToPath(new URL("tidemark.mjs", import.meta.url)), ...args];
  const { runProcess } = await import(program.href);
  await runProcess();
};
