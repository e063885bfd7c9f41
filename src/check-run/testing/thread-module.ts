import type { BuildOptions } from "esbuild";

/** How a source becomes a module that a worker thread can begin with, packages inside: Node 20 does not read TypeScript. */
export const THREAD_MODULE = {
  bundle: true,
  minifySyntax: true,
  format: "esm",
  platform: "node",
  target: "node20",
  // zod is CommonJS inside.
  banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
  logLevel: "error",
} satisfies BuildOptions;
