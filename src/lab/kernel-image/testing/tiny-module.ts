import { ELF_SYMBOL } from "../elf-symbols.ts";
import { tinyElf } from "./tiny-elf.ts";

export interface TinyModuleSymbol {
  readonly name: string;
  readonly value: bigint;
  readonly section: number;
  readonly type?: number;
}

/** A symbol table and its strings, the first entry empty as always. */
export const symbolTable = (
  symbols: readonly TinyModuleSymbol[],
): { table: Uint8Array; strings: Uint8Array } => {
  let strings = "\0";
  const entries = [{ name: "", value: 0n, section: 0, type: 0 }, ...symbols].map(
    ({ name, value, section, type = 2 }) => {
      const at = name === "" ? 0 : strings.length;
      if (name !== "") strings += `${name}\0`;
      return ELF_SYMBOL.encode({ name: at, info: type, other: 0, section, value, size: 0n });
    },
  );
  return { table: new Uint8Array(Buffer.concat(entries)), strings: Buffer.from(strings, "latin1") };
};

/** A module file with this .modinfo and these symbols. Its .text is section 1. */
export const tinyModule = (
  info: readonly string[],
  symbols: readonly TinyModuleSymbol[] = [],
): Uint8Array => {
  const { table, strings } = symbolTable(symbols);
  return tinyElf(
    [],
    [
      { name: ".text", addr: 0n, bytes: Uint8Array.of(0xc3), flags: 6n },
      {
        name: ".modinfo",
        addr: 0n,
        bytes: Buffer.from(info.map((entry) => `${entry}\0`).join(""), "latin1"),
      },
      { name: ".symtab", addr: 0n, bytes: table, type: 2, link: 4 },
      { name: ".strtab", addr: 0n, bytes: strings, type: 3 },
    ],
    { type: 1 },
  );
};
