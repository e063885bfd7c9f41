import { deb822Stanzas } from "./apt-sources.ts";
import { compareDebianVersions } from "./debian-version.ts";

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
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

/** Reads `apt-cache dumpavail`, or a Packages file. */
export const parsePackages = (text: string): DebianPackage[] =>
  deb822Stanzas(text).flatMap((fields) => {
    const [name, version] = [fields.get("package"), fields.get("version")];
    return name === undefined || version === undefined ? [] : [{ name, version }];
  });

/**
 * Debian has put a kernel into packages in three ways: one that is not signed for secure boot, which is all a guest
 * needs; the same signed; and since 6.19 or so a package each for the image, the modules and what describes them.
 */
const packagesOf = (release: string, all: ReadonlyMap<string, DebianPackage>): readonly DebianPackage[] => {
  const named = (...names: string[]): DebianPackage[] => names.flatMap((name) => all.get(name) ?? []);
  const split = named(`linux-binary-${release}`, `linux-modules-${release}`, `linux-base-${release}`);
  if (split.length === 3) return split;
  const unsigned = named(`linux-image-${release}-unsigned`);
  return unsigned.length > 0 ? unsigned : named(`linux-image-${release}`);
};

/** True if a kernel is of this line: "6.12" has 6.12.117 and not 6.1, "newest" has all from 6.16 on. */
export const isOfLine = (release: string, line: string): boolean => {
  if (line !== "newest") return release.startsWith(`${line}.`) || release.startsWith(`${line}+`);
  const [major = 0, minor = 0] = release.split(".").map(Number);
  return major > 6 || (major === 6 && minor >= 16);
};

/** The newest cloud kernel of a line among these packages; undefined if there is none. */
export const chooseKernel = (available: readonly DebianPackage[], line: string): KernelChoice | undefined => {
  const all = new Map(available.map((found) => [found.name, found]));
  const kernels = available.flatMap((known) => {
    const release = KERNEL.exec(known.name)?.[1];
    return release !== undefined && isOfLine(release, line) ? [{ release, known }] : [];
  });
  const newestFirst = kernels.sort(
    (a, b) =>
      compareDebianVersions(b.known.version, a.known.version) ||
      Number(b.known.name.endsWith("-unsigned")) - Number(a.known.name.endsWith("-unsigned")),
  );
  const [newest] = newestFirst;
  return newest && { ...newest, packages: packagesOf(newest.release, all) };
};
