import { readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type KernelFiles, kernelsBelow, kernelsFolder } from "../kernel-package/kernel-files.ts";

const foldersIn = (folder: string): string[] => {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
};

/** The kernel whose image lies at a path, its modules where its package has them. */
const kernelAt = (image: string): KernelFiles => {
  const root = image.includes("/modules/") ? join(dirname(image), "../../../..") : join(dirname(image), "..");
  const known = kernelsBelow(root).find((kernel) => kernel.image === image);
  return known ?? { release: image, image, modules: undefined };
};

interface Environment {
  readonly [name: string]: string | undefined;
  readonly TIDEMARK_KERNEL?: string | undefined;
}

/**
 * Kernels that tests may read: the images that TIDEMARK_KERNEL lists, separated by colons, or else those that the
 * program has fetched into its cache. None on most machines: a test that needs one runs with `it.skipIf`.
 */
export const realKernels = (environment: Environment = process.env): KernelFiles[] => {
  const named = environment.TIDEMARK_KERNEL;
  if (named !== undefined && named !== "") return named.split(":").map((path) => kernelAt(resolve(path)));
  const kernels = kernelsFolder(environment);
  return foldersIn(kernels).flatMap((name) => kernelsBelow(join(kernels, name)));
};

/** The end of a test's name that needs a real kernel. */
export const NEEDS_KERNEL = "(needs a kernel: set TIDEMARK_KERNEL, or fetch one)";
