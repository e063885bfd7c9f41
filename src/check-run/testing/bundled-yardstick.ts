import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { THREAD_MODULE } from "./thread-module.ts";

export interface BundledYardstick {
  /** Somewhere for a test's files. */
  readonly folder: string;
  /** The module that a worker thread begins with. */
  readonly module: URL;
  /** A program that runs one search. */
  readonly program: string;
  remove(): void;
}

/** The yardstick as programs of their own: Node 20 does not read TypeScript. */
export const bundleYardstick = (): BundledYardstick => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-search-"));
  buildSync({
    entryPoints: ["yardstick-thread.ts", "yardstick-search.ts"].map((name) =>
      join(import.meta.dirname, name),
    ),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    ...THREAD_MODULE,
  });
  return {
    folder,
    module: pathToFileURL(join(folder, "yardstick-thread.mjs")),
    program: join(folder, "yardstick-search.mjs"),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
};
