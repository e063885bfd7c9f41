import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** A kernel on this machine. */
export interface KernelFiles {
  /** Its release, such as "6.12.117+deb12-cloud-amd64". */
  readonly release: string;
  /** Path of the bzImage. */
  readonly image: string;
  /** Path of its modules, the folder that has kernel/ in it; undefined if there are none. */
  readonly modules: string | undefined;
}

type Environment = { readonly [name: string]: string | undefined };

/** Where the program keeps what it has fetched. */
export const cacheFolder = (environment: Environment): string =>
  join(environment["XDG_CACHE_HOME"] || join(environment["HOME"] || homedir(), ".cache"), "tidemark");

/** Where each kernel has a folder PACKAGE_VERSION with its packages unpacked. */
export const kernelsFolder = (environment: Environment): string => join(cacheFolder(environment), "kernels");

/** Names in a folder; none if it is not there, is no folder or may not be read. */
export const entriesOf = (folder: string): string[] => {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
};

/** Where Debian has put modules: before and since everything moved below usr/. */
const MODULE_FOLDERS = ["lib/modules", "usr/lib/modules"];

/** The modules of a release below the root of a tree. */
export const modulesBelow = (root: string, release: string): string | undefined =>
  MODULE_FOLDERS.map((folder) => join(root, folder, release)).find((folder) =>
    existsSync(join(folder, "kernel")),
  );

/** Kernels of a tree: boot/vmlinuz-RELEASE, or vmlinuz beside the modules as newer packages have it. */
export const kernelsBelow = (root: string): KernelFiles[] => {
  const inBoot = entriesOf(join(root, "boot"))
    .filter((name) => name.startsWith("vmlinuz-"))
    .map((name) => ({ release: name.slice("vmlinuz-".length), image: join(root, "boot", name) }));
  const besideModules = MODULE_FOLDERS.flatMap((folder) =>
    entriesOf(join(root, folder)).map((release) => ({
      release,
      image: join(root, folder, release, "vmlinuz"),
    })),
  ).filter(({ image }) => existsSync(image));
  const kernels = [...inBoot, ...besideModules];
  return kernels.map((kernel) => ({ ...kernel, modules: modulesBelow(root, kernel.release) }));
};
