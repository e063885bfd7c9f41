import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { KernelFileError } from "../kernel-file-error.ts";
import { compareDebianVersions } from "./debian-version.ts";
import { fetchKernel } from "./fetch-kernel.ts";
import { imageRelease } from "./image-release.ts";
import {
  cacheFolder,
  entriesOf,
  type KernelFiles,
  kernelsBelow,
  kernelsFolder,
  modulesBelow,
} from "./kernel-files.ts";
import { debianKeyring, machineSources } from "./machine-sources.ts";
import { isOfLine } from "./package-choice.ts";
import { runProgram } from "./run-program.ts";

export interface KernelWish {
  /** Path of a bzImage; left out, one of the cache or of Debian is taken. */
  readonly image?: string | undefined;
  /** Path of its modules; left out, they are looked for where the image's package has them, and on the machine. */
  readonly modules?: string | undefined;
  /** "6.12", another series, or "newest"; 6.12 if left out. Says nothing if there is an image. */
  readonly line?: string | undefined;
  readonly environment?: { readonly [name: string]: string | undefined };
  readonly signal?: AbortSignal | undefined;
  /** Told what takes time, as a phrase. */
  readonly progress?: ((what: string) => void) | undefined;
}

export const DEFAULT_LINE = "6.12";

/** The kernel of the cache that a line means: its newest. */
export const cachedKernel = (
  line: string,
  environment: KernelWish["environment"] = process.env,
): KernelFiles | undefined => {
  const folder = kernelsFolder(environment);
  const kernels = entriesOf(folder).flatMap((name) => kernelsBelow(join(folder, name)));
  const [newest] = kernels
    .filter(({ release }) => isOfLine(release, line))
    .sort((a, b) => compareDebianVersions(b.release, a.release));
  return newest;
};

/**
 * Finds the kernel to run: the one that was named, else one of the cache, else Debian's newest of the line, which is
 * fetched into the cache.
 *
 * @throws KernelFileError if what was named is no kernel
 * @throws LabError if one has to be fetched and cannot be
 */
export const findKernel = async (wish: KernelWish = {}): Promise<KernelFiles> => {
  const { environment = process.env, line = DEFAULT_LINE, signal, progress } = wish;
  if (wish.image !== undefined) return namedKernel(wish.image, wish.modules);
  const cached = cachedKernel(line, environment);
  if (cached !== undefined) return cached;
  const cache = cacheFolder(environment);
  const [sources, keyring] = [machineSources(), debianKeyring()];
  return fetchKernel({ line, cache, sources, keyring, run: runProgram, signal, progress });
};

/** Folders above the image that may be the root its package was unpacked to: boot/vmlinuz-R, lib/modules/R/vmlinuz. */
const rootsAbove = (image: string): string[] =>
  ["..", "../../../..", "../../.."].map((up) => join(dirname(image), up));

/** @throws KernelFileError if it is no bzImage, or the folder holds no modules of it */
const namedKernel = (path: string, folder: string | undefined): KernelFiles => {
  const image = resolve(path);
  const release = imageRelease(image);
  if (folder === undefined) {
    const roots = [...rootsAbove(image), "/"];
    const modules = roots.map((root) => modulesBelow(root, release)).find((found) => found !== undefined);
    return { release, image, modules };
  }
  const candidates = [folder, join(folder, release), join(folder, "lib/modules", release)];
  const modules = candidates.find((candidate) => existsSync(join(candidate, "kernel")));
  if (modules === undefined)
    throw new KernelFileError(
      `${folder} holds no modules of Linux ${release}: expected a folder kernel/ in it`,
    );
  return { release, image, modules: resolve(modules) };
};
