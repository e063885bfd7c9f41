import { deb822Stanzas } from "./apt-sources.ts";
import { compareDebianVersions } from "./debian-version.ts";

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** Names of the packages that its Depends field has, without their versions. */
  readonly depends: readonly string[];
}

/** The packages that hold one kernel. */
export interface KernelChoice {
  /** Such as "6.12.117+deb12-cloud-amd64"; `uname -r` in the guest. */
  readonly release: string;
  /** Name and version of the package that the kernel is known by; the cache's folder is named after it. */
  readonly known: DebianPackage;
  /** Packages with the image and the modules. */
  readonly packages: readonly DebianPackage[];
}

const KERNEL = /^linux-image-(\d[\w.+~-]*-cloud-amd64)(-unsigned)?$/;

const namesIn = (depends: string | undefined): string[] =>
  (depends ?? "").split(/[,|]/).flatMap((item) => /^[\w.+-]+/.exec(item.trim())?.[0] ?? []);

/** Reads `apt-cache dumpavail`, or a Packages file. */
export const parsePackages = (text: string): DebianPackage[] =>
  deb822Stanzas(text).flatMap((fields) => {
    const [name, version] = [fields.get("package"), fields.get("version")];
    if (name === undefined || version === undefined) return [];
    return [{ name, version, depends: namesIn(fields.get("depends")) }];
  });

/**
 * The packages that hold a kernel. Until 6.18 it is the one known by its name; since then that one is empty and depends on
 * one each for the image, the modules and what describes them.
 *
 * @returns undefined if one of them is gone: the archive drops parts of older kernels and keeps others
 */
const packagesOf = (
  known: DebianPackage,
  release: string,
  all: ReadonlyMap<string, DebianPackage>,
): readonly DebianPackage[] | undefined => {
  const parts = ["binary", "modules", "base"].map((part) => `linux-${part}-${release}`);
  const names = known.depends.filter((name) => parts.includes(name));
  if (names.length === 0) return [known];
  const found = names.flatMap((name) => all.get(name) ?? []);
  return found.length === names.length ? found : undefined;
};

/** True if a kernel is of this line: "6.12" has 6.12.117 and not 6.1, "newest" has all from 6.16 on. */
export const isOfLine = (release: string, line: string): boolean => {
  if (line !== "newest") return release.startsWith(`${line}.`) || release.startsWith(`${line}+`);
  const [major = 0, minor = 0] = release.split(".").map(Number);
  return major > 6 || (major === 6 && minor >= 16);
};

const wholeKernels = (available: readonly DebianPackage[]): KernelChoice[] => {
  const all = new Map(available.map((found) => [found.name, found]));
  return available.flatMap((known) => {
    const release = KERNEL.exec(known.name)?.[1];
    const packages = release === undefined ? undefined : packagesOf(known, release, all);
    return release === undefined || packages === undefined ? [] : [{ release, known, packages }];
  });
};

/** The newest whole cloud kernel of a line among these packages; undefined if there is none. */
export const chooseKernel = (available: readonly DebianPackage[], line: string): KernelChoice | undefined => {
  const kernels = wholeKernels(available).filter(({ release }) => isOfLine(release, line));
  const [newest] = kernels.sort(
    (a, b) =>
      compareDebianVersions(b.known.version, a.known.version) ||
      // A guest has no use for the signature that secure boot wants.
      Number(b.known.name.endsWith("-unsigned")) - Number(a.known.name.endsWith("-unsigned")),
  );
  return newest;
};

/** The series that have a whole cloud kernel, oldest first. */
export const kernelSeries = (available: readonly DebianPackage[]): string[] => {
  const series = wholeKernels(available).flatMap(({ release }) => /^\d+\.\d+/.exec(release)?.[0] ?? []);
  return [...new Set(series)].sort(compareDebianVersions);
};
