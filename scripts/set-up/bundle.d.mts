import type { BuildOptions } from "esbuild";

export const BESIDE_PACKAGES: Readonly<BuildOptions>;
export const WITH_PACKAGES: Readonly<BuildOptions>;
