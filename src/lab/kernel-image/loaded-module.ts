import { DecodeError } from "../../abi/bytes.ts";
import type { Btf } from "./btf.ts";
import { enumerators, findMember, sizeOf } from "./btf-layout.ts";
import { decodeSymbols, ELF_SYMBOL, SYMBOL_TYPE, UNDEFINED_SECTION } from "./elf-symbols.ts";
import { MemoryStruct, type ReadMemory } from "./memory-struct.ts";
import { SortedSymbols } from "./sorted-symbols.ts";
import type { SymbolTable } from "./symbol-table.ts";

/** A part of memory that a module was given. */
export interface ModuleRegion {
  /** "MOD_TEXT", or of kernels before 6.4 "core_layout" or "init_layout". */
  readonly kind: string;
  readonly base: bigint;
  /** Bytes. */
  readonly size: number;
}

/** A module in the running kernel. */
export interface LoadedModule {
  readonly name: string;
  readonly regions: readonly ModuleRegion[];
  readonly symbols: SymbolTable;
}

/** Kinds of enum mod_mem_type, Linux 6.4 and newer; those of a kernel that it does not have are left out. */
const REGION_KINDS = [
  "MOD_TEXT",
  "MOD_DATA",
  "MOD_RODATA",
  "MOD_RO_AFTER_INIT",
  "MOD_INIT_TEXT",
  "MOD_INIT_DATA",
  "MOD_INIT_RODATA",
] as const;
const OLD_REGIONS = ["core_layout", "init_layout"] as const;

/** MODULE_NAME_LEN on 64 bits. */
const NAME_BYTES = 56;
/** KSYM_NAME_LEN, and one for its end. */
const LONGEST_SYMBOL = 512;
/** A module of 100 000 symbols would be larger than the kernel; more means that the memory is no module. */
const MOST_SYMBOLS = 100_000;
const LARGEST_STRINGS = 16 * 2 ** 20;

const text = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString("latin1");
};

/** Where struct module keeps a region of each kind, as `struct NAME` at an address. */
const regionPlaces = (
  types: Btf,
  module: MemoryStruct,
): { kind: string; name: string; address: bigint }[] => {
  if (findMember(types, "module", "mem") === undefined)
    return OLD_REGIONS.map((kind) => ({ kind, name: "module_layout", address: module.at(kind) }));
  const size = BigInt(sizeOf(types, "module_memory"));
  const known = enumerators(types, "mod_mem_type");
  return REGION_KINDS.flatMap((kind) => {
    const index = known.get(kind);
    return index === undefined
      ? []
      : [{ kind, name: "module_memory", address: module.at("mem") + index * size }];
  });
};

const readRegions = async (types: Btf, read: ReadMemory, module: MemoryStruct): Promise<ModuleRegion[]> => {
  const regions: ModuleRegion[] = [];
  for (const { kind, name, address } of regionPlaces(types, module)) {
    const region = new MemoryStruct(types, read, name, address);
    const size = await region.u32("size");
    if (size > 0) regions.push({ kind, base: await region.u64("base"), size });
  }
  return regions;
};

const damaged = (what: string, found: string): never => {
  throw new DecodeError("struct module", 0, what, found);
};

const readSymbols = async (types: Btf, read: ReadMemory, address: bigint): Promise<SymbolTable> => {
  const list = new MemoryStruct(types, read, "mod_kallsyms", address);
  const count = await list.u32("num_symtab");
  if (count > MOST_SYMBOLS) damaged(`at most ${MOST_SYMBOLS} symbols`, `${count}`);
  const table = await read(await list.u64("symtab"), count * ELF_SYMBOL.size);
  const words = new DataView(table.buffer, table.byteOffset, table.byteLength);
  let last = 0;
  for (let at = 0; at < table.length; at += ELF_SYMBOL.size) last = Math.max(last, words.getUint32(at, true));
  if (last > LARGEST_STRINGS) damaged(`names within ${LARGEST_STRINGS} bytes`, `one at ${last}`);
  const strings = await read(await list.u64("strtab"), last + LONGEST_SYMBOL);
  const defined = decodeSymbols(table, strings).filter(
    ({ name, section, type }) => name !== "" && section !== UNDEFINED_SECTION && type !== SYMBOL_TYPE.FILE,
  );
  return new SortedSymbols(defined.map(({ name, value }) => ({ name, address: value })));
};

/**
 * Reads a module of the running kernel: best at do_init_module, whose first argument is the struct module, when its
 * symbols are all there and none of its code has run.
 *
 * @param types the kernel's
 * @param read reads the guest's memory; it may reject, and so does this then
 * @param address of the struct module
 * @throws LayoutError if the kernel's struct module is of an unknown shape; DecodeError if the memory holds none
 */
export const readLoadedModule = async (
  types: Btf,
  read: ReadMemory,
  address: bigint,
): Promise<LoadedModule> => {
  const module = new MemoryStruct(types, read, "module", address);
  const name = text(await read(module.at("name"), NAME_BYTES));
  const regions = await readRegions(types, read, module);
  return { name, regions, symbols: await readSymbols(types, read, await module.u64("kallsyms")) };
};
