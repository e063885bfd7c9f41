// What the scripts share that write parts of a document anew from what tidemark prints.

/**
 * @returns what `tidemark ARGS` printed, whether all held (0) or something broke (1)
 * @throws if it could not be run
 */
export const tidemark = async (root, args) => {
  const { join } = await import("node:path");
  const { runChild } = await import("./set-up/signals.mjs");
  const bin = join(root, "bin", "tidemark.mjs");
  const { status, output } = await runChild(process.execPath, [bin, ...args], { output: "pipe", cwd: root });
  if (status === 0 || status === 1) return output;
  throw new Error(`tidemark ${args.join(" ")} ended with status ${status}: ${output.trim()}`);
};

/**
 * Writes a document anew and says whether that changed it.
 *
 * @param name path from the root @param remake from the root and the text as it is to the text as it should be
 */
export const writeMade = async (name, remake) => {
  const { readFileSync, writeFileSync } = await import("node:fs");
  const { join } = await import("node:path");
  const { ROOT } = await import("./set-up/checkout.mjs");
  const { setUp } = await import("./set-up/prepare.mjs");
  await setUp({ packages: true, dist: true });
  const path = join(ROOT, name);
  const before = readFileSync(path, "utf8");
  const document = await remake(ROOT, before);
  if (document !== before) writeFileSync(path, document);
  process.stdout.write(`${name} ${document === before ? "was up to date" : "written"}\n`);
  return 0;
};
