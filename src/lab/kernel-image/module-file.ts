import { DecodeError } from "../../abi/bytes.ts";
import { Btf } from "./btf.ts";
import { decompressIfCompressed } from "./decompress.ts";
import { decodeElf, type Elf, sectionNamed } from "./elf.ts";
import { type ElfSymbol, symbolsOf } from "./elf-symbols.ts";

/** A module as it lies on disk. */
export interface KernelModule {
  /** With underscores, as the kernel tells it. */
  readonly name: string;
  /** Modules that must be loaded before it. */
  readonly depends: readonly string[];
  /** The kernel it was built for, such as "6.12.117+deb12-cloud-amd64 SMP preempt mod_unload modversions". */
  readonly vermagic: string;
  /** The bytes that the kernel takes: the ELF file, no longer compressed. */
  readonly elf: Elf;
}

const WHAT = "kernel module";
/** No module comes near it: the largest graphics drivers have 30 MiB with their debug sections. */
const LARGEST = 256 * 2 ** 20;

/** Entries of .modinfo, "key=value" each; a key may occur more than once. */
export const moduleInfo = (elf: Elf): ReadonlyMap<string, readonly string[]> => {
  const info = new Map<string, string[]>();
  const section = sectionNamed(elf, ".modinfo");
  for (const entry of Buffer.from(section?.bytes ?? [])
    .toString("latin1")
    .split("\0")) {
    const equals = entry.indexOf("=");
    if (equals < 0) continue;
    const values = info.get(entry.slice(0, equals)) ?? [];
    info.set(entry.slice(0, equals), [...values, entry.slice(equals + 1)]);
  }
  return info;
};

/** A module's name as the kernel writes it: dashes of file names are underscores. */
export const moduleName = (name: string): string => name.replaceAll("-", "_");

/**
 * Reads a module: .ko, or one compressed with what its magic tells.
 *
 * @throws DecodeError if it is none; NotModelled if its compression is not
 */
export const readModule = async (file: Uint8Array): Promise<KernelModule> => {
  const elf = decodeElf(await decompressIfCompressed(WHAT, file, LARGEST));
  if (elf.type !== "REL") throw new DecodeError(WHAT, 16, "a relocatable file", elf.type);
  const info = moduleInfo(elf);
  const name = info.get("name")?.[0];
  if (name === undefined) throw new DecodeError(WHAT, 0, "a name in .modinfo", "none");
  const depends = (info.get("depends") ?? [])
    .flatMap((list) => list.split(","))
    .filter((each) => each !== "");
  return {
    name: moduleName(name),
    depends: depends.map(moduleName),
    vermagic: info.get("vermagic")?.[0]?.trim() ?? "",
    elf,
  };
};

/** Symbols of a module; values count from their sections until it is loaded. */
export const moduleSymbols = ({ elf }: KernelModule): ElfSymbol[] => symbolsOf(elf);

/** A module's types, which continue the kernel's; undefined if it was built without. */
export const moduleTypes = ({ elf }: KernelModule, kernel: Btf): Btf | undefined => {
  const section = sectionNamed(elf, ".BTF");
  return section === undefined ? undefined : Btf.decode(section.bytes, kernel);
};
