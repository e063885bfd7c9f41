import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { THREAD_MODULE } from "./thread-module.ts";

export interface BundledMachine {
  /** Somewhere for a test's files. */
  readonly folder: string;
  /** The module that a worker thread begins with. */
  readonly module: URL;
  remove(): void;
}

/** What serves machines in a thread, as a program of its own: Node 20 does not read TypeScript. */
export const bundleMachine = (): BundledMachine => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-machine-"));
  const outfile = join(folder, "machine-thread.mjs");
  buildSync({
    entryPoints: [join(import.meta.dirname, "..", "machine-thread.ts")],
    outfile,
    ...THREAD_MODULE,
  });
  return {
    folder,
    module: pathToFileURL(outfile),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
};
