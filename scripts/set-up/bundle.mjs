/** How sources become a module that Node 20 reads, which knows no TypeScript. dist/ has settings of its own. */
const MODULE = { bundle: true, format: "esm", platform: "node", target: "node20", logLevel: "error" };

/** For what runs below the root of the checkout: its packages stay outside the bundle, so that native ones load as well. */
export const BESIDE_PACKAGES = { ...MODULE, packages: "external" };

/** For what runs anywhere: packages are inside, and those that are CommonJS want a require(). */
export const WITH_PACKAGES = {
  ...MODULE,
  banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
};
