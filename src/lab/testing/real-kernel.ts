import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** A kernel on this machine that tests may read. */
export interface RealKernel {
  /** Its release, such as "6.12.117+deb12-cloud-amd64". */
  readonly release: string;
  /** Path of the image. */
  readonly image: string;
  /** Path of its modules, the folder with modules.dep or kernel/; undefined if they are not there. */
  readonly modules: string | undefined;
}

interface Environment {
  readonly TIDEMARK_KERNEL?: string | undefined;
  readonly XDG_CACHE_HOME?: string | undefined;
}

const entries = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);

/** The modules of a release below the root of an unpacked package. */
const modulesOf = (root: string, release: string): string | undefined =>
  ["lib/modules", "usr/lib/modules"]
    .map((folder) => join(root, folder, release))
    .find((folder) => existsSync(join(folder, "kernel")));

/** Kernels of an unpacked package: boot/vmlinuz-RELEASE, or usr/lib/modules/RELEASE/vmlinuz as newer ones have it. */
const kernelsOf = (root: string): RealKernel[] => {
  const inBoot = entries(join(root, "boot"))
    .filter((name) => name.startsWith("vmlinuz-"))
    .map((name) => ({ release: name.slice("vmlinuz-".length), image: join(root, "boot", name) }));
  const besideModules = ["lib/modules", "usr/lib/modules"].flatMap((folder) =>
    entries(join(root, folder)).map((release) => ({
      release,
      image: join(root, folder, release, "vmlinuz"),
    })),
  );
  return [...inBoot, ...besideModules.filter(({ image }) => existsSync(image))].map((kernel) => ({
    ...kernel,
    modules: modulesOf(root, kernel.release),
  }));
};

/** The kernel whose image lies at a path, its modules where its package has them. */
const kernelAt = (image: string): RealKernel => {
  const root = image.includes("/modules/") ? join(dirname(image), "../../../..") : join(dirname(image), "..");
  const known = kernelsOf(root).find((kernel) => kernel.image === image);
  return known ?? { release: image, image, modules: undefined };
};

/**
 * Kernels that tests may read: the images that TIDEMARK_KERNEL lists, separated by colons, or else those that the
 * program has fetched into its cache. None on most machines: a test that needs one runs with `it.skipIf`.
 */
export const realKernels = (environment: Environment = process.env): RealKernel[] => {
  const named = environment.TIDEMARK_KERNEL;
  if (named !== undefined && named !== "") return named.split(":").map((path) => kernelAt(resolve(path)));
  const cache = environment.XDG_CACHE_HOME || join(homedir(), ".cache");
  const kernels = join(cache, "tidemark", "kernels");
  return entries(kernels).flatMap((name) => kernelsOf(join(kernels, name)));
};

/** The end of a test's name that needs a real kernel. */
export const NEEDS_KERNEL = "(needs a kernel: set TIDEMARK_KERNEL, or fetch one)";
