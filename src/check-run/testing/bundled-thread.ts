import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";

export interface BundledThread {
  readonly module: URL;
  remove(): void;
}

/** The yardstick as the module of a worker thread: Node 20 does not read TypeScript. */
export const bundleYardstickThread = (): BundledThread => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-thread-"));
  const file = join(folder, "thread.mjs");
  buildSync({
    entryPoints: [join(import.meta.dirname, "yardstick-thread.ts")],
    outfile: file,
    bundle: true,
    minifySyntax: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "error",
  });
  return { module: pathToFileURL(file), remove: () => rmSync(folder, { recursive: true, force: true }) };
};
