import { DecodeError, struct } from "../../abi/bytes.ts";
import { type Elf, SECTION_TYPE } from "./elf.ts";

/** @source ELF-64 object file format, symbol table */
export const ELF_SYMBOL = struct("ELF symbol", 24, {
  name: [0, "u32"],
  info: [4, "u8"], // binding in the high half, type in the low one
  other: [5, "u8"],
  section: [6, "u16"],
  value: [8, "u64"],
  size: [16, "u64"],
});

export const SYMBOL_TYPE = { NOTYPE: 0, OBJECT: 1, FUNC: 2, SECTION: 3, FILE: 4 } as const;
/** Section number of a symbol that another file defines. */
export const UNDEFINED_SECTION = 0;

export interface ElfSymbol {
  readonly name: string;
  /** In a relocatable file counted from the symbol's section, else an address. */
  readonly value: bigint;
  readonly size: bigint;
  readonly section: number;
  readonly type: number;
}

/** The string at an offset; what lies behind the table is no string. */
const stringAt = (strings: string, at: number): string => {
  const end = strings.indexOf("\0", at);
  return strings.slice(at, end < 0 ? undefined : end);
};

/** Reads whole entries of a symbol table and its strings. */
export const decodeSymbols = (table: Uint8Array, strings: Uint8Array): ElfSymbol[] => {
  const text = Buffer.from(strings.buffer, strings.byteOffset, strings.length).toString("latin1");
  return Array.from({ length: Math.floor(table.length / ELF_SYMBOL.size) }, (_, n) => {
    const { name, info, section, value, size } = ELF_SYMBOL.decode(table, n * ELF_SYMBOL.size);
    return { name: stringAt(text, name), value, size, section, type: info & 0xf };
  });
};

/**
 * Every symbol of a file's symbol table, in its order; none if the table was stripped.
 *
 * @throws DecodeError if the table names no section of strings
 */
export const symbolsOf = (elf: Elf): ElfSymbol[] => {
  const table = elf.sections.find(({ type }) => type === SECTION_TYPE.SYMTAB);
  if (table === undefined) return [];
  const strings = elf.sections[table.link];
  if (strings === undefined)
    throw new DecodeError("ELF symbol table", 0, "strings in a section of the file", `section ${table.link}`);
  return decodeSymbols(table.bytes, strings.bytes);
};
