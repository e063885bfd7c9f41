import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decompressIfCompressed } from "../kernel-image/decompress.ts";
import { decodeElf, sectionNamed } from "../kernel-image/elf.ts";
import { LabError } from "../lab-error.ts";

/** Modules for the guest, with all they depend on. */
export interface ModuleSet {
  /** Uncompressed, by file name, such as "virtio_mem.ko": as `buildGuestImage` takes them. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Names in the order to load them in: as `Guest.loadModules` takes them. */
  readonly order: readonly string[];
}

/** More than any module of a distribution has, without its debug information. */
const LIMIT_BYTES = 64 * 2 ** 20;

const MODULE_FILE = /^(.+)\.ko(?:\.(?:xz|gz|zst))?$/;

/** The kernel takes - and _ in a module's name for the same. */
const canonical = (name: string): string => name.replaceAll("-", "_");

/** Path of each module below a folder, by its name. */
const moduleFiles = (folder: string): Map<string, string> => {
  const files = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const name = MODULE_FILE.exec(entry.name)?.[1];
    if (name !== undefined && entry.isFile()) files.set(canonical(name), join(entry.parentPath, entry.name));
  }
  return files;
};

/** Names of the modules that are part of the kernel image. */
const builtIn = (folder: string): Set<string> => {
  const path = join(folder, "modules.builtin");
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  const names = lines.flatMap((line) => MODULE_FILE.exec(line.slice(line.lastIndexOf("/") + 1))?.[1] ?? []);
  return new Set(names.map(canonical));
};

/** Names that a module says it depends on. @throws DecodeError if it is no x86-64 ELF file */
export const dependenciesOf = (module: Uint8Array): string[] => {
  const section = sectionNamed(decodeElf(module), ".modinfo");
  const entries = new TextDecoder("latin1").decode(section?.bytes).split("\0");
  const depends = entries.find((entry) => entry.startsWith("depends="))?.slice("depends=".length) ?? "";
  return depends.split(",").filter((name) => name !== "");
};

/**
 * Reads modules and all they depend on. depmod's tables are not needed: packages do not have them before they are
 * installed. A module that is built in is left out.
 *
 * @param folder the modules of one release, with kernel/ in it; undefined if the kernel has none
 * @throws LabError if a module is neither there nor built in
 * @throws DecodeError if a file is damaged
 */
export const readModules = async (
  folder: string | undefined,
  names: readonly string[],
): Promise<ModuleSet> => {
  const present = folder === undefined ? new Map<string, string>() : moduleFiles(join(folder, "kernel"));
  const included = folder === undefined ? new Set<string>() : builtIn(folder);
  const files = new Map<string, Uint8Array>();
  const order: string[] = [];
  const add = async (wanted: string): Promise<void> => {
    const name = canonical(wanted);
    if (files.has(`${name}.ko`) || included.has(name)) return;
    const path = present.get(name);
    if (path === undefined) throw new LabError(missing(wanted, folder));
    const bytes = await decompressIfCompressed(path, readFileSync(path), LIMIT_BYTES);
    files.set(`${name}.ko`, bytes);
    for (const dependency of dependenciesOf(bytes)) await add(dependency);
    order.push(name);
  };
  for (const name of names) await add(name);
  return { files, order };
};

const missing = (name: string, folder: string | undefined): string =>
  folder === undefined
    ? `the module ${name} is needed, and the kernel's modules were not found: name their folder with --modules`
    : `the module ${name} is neither in ${folder} nor built into the kernel`;
