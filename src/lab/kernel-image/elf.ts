import { DecodeError, type FieldsOf, hex, struct } from "../../abi/bytes.ts";

/** @source ELF-64 object file format; Linux include/uapi/linux/elf.h */
export const ELF_HEADER = struct("ELF header", 64, {
  magic: [0, "bytes:4"],
  class: [4, "u8"],
  data: [5, "u8"],
  identVersion: [6, "u8"],
  osAbi: [7, "u8"],
  abiVersion: [8, "u8"],
  pad: [9, "bytes:7"],
  type: [16, "u16"],
  machine: [18, "u16"],
  version: [20, "u32"],
  entry: [24, "u64"],
  phoff: [32, "u64"],
  shoff: [40, "u64"],
  flags: [48, "u32"],
  ehsize: [52, "u16"],
  phentsize: [54, "u16"],
  phnum: [56, "u16"],
  shentsize: [58, "u16"],
  shnum: [60, "u16"],
  shstrndx: [62, "u16"],
});
export const PROGRAM_HEADER = struct("ELF program header", 56, {
  type: [0, "u32"],
  flags: [4, "u32"],
  offset: [8, "u64"],
  vaddr: [16, "u64"],
  paddr: [24, "u64"],
  filesz: [32, "u64"],
  memsz: [40, "u64"],
  align: [48, "u64"],
});
export const SECTION_HEADER = struct("ELF section header", 64, {
  name: [0, "u32"],
  type: [4, "u32"],
  flags: [8, "u64"],
  addr: [16, "u64"],
  offset: [24, "u64"],
  size: [32, "u64"],
  link: [40, "u32"],
  info: [44, "u32"],
  addralign: [48, "u64"],
  entsize: [56, "u64"],
});

export const ELF_TYPE = { REL: 1, EXEC: 2, DYN: 3 } as const;
export const SEGMENT_TYPE = { LOAD: 1, NOTE: 4 } as const;
export const SECTION_TYPE = { SYMTAB: 2, NOBITS: 8 } as const;
export const SECTION_FLAG = { ALLOC: 0x2n, EXECINSTR: 0x4n } as const;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const X86_64 = 62;

/** A program header whose bytes lie in the file. */
export type Segment = FieldsOf<typeof PROGRAM_HEADER> & { readonly bytes: Uint8Array };
/** A section header with its name; the bytes of a NOBITS section are none. */
export type Section = Omit<FieldsOf<typeof SECTION_HEADER>, "name"> & {
  readonly name: string;
  readonly index: number;
  readonly bytes: Uint8Array;
};

/** A little-endian x86-64 ELF file taken apart; every `bytes` is a view of `file`. */
export interface Elf {
  readonly file: Uint8Array;
  readonly type: "REL" | "EXEC" | "DYN";
  /** Of a vmlinux: where the decompressor jumps to, a physical address. */
  readonly entry: bigint;
  readonly segments: readonly Segment[];
  /** In the order of the file, so that the index is the one symbols name. Empty if they were stripped. */
  readonly sections: readonly Section[];
}

const WHAT = "ELF file";
const MAGIC = [0x7f, 0x45, 0x4c, 0x46];

export const isElf = (bytes: Uint8Array): boolean => MAGIC.every((byte, at) => bytes[at] === byte);

/** The part of the file that a header names. Lengths of the file itself fit a number. */
const part = (file: Uint8Array, headerAt: number, what: string, offset: bigint, size: bigint): Uint8Array => {
  if (offset + size > BigInt(file.length)) {
    const found = `${size} at ${offset}`;
    throw new DecodeError(WHAT, headerAt, `a ${what} inside the file's ${file.length} bytes`, found);
  }
  return file.subarray(Number(offset), Number(offset + size));
};

const typeOf = (type: number): Elf["type"] => {
  if (type === ELF_TYPE.REL) return "REL";
  if (type === ELF_TYPE.EXEC) return "EXEC";
  if (type === ELF_TYPE.DYN) return "DYN";
  throw new DecodeError(WHAT, 16, "type 1 (REL), 2 (EXEC) or 3 (DYN)", `${type}`);
};

const checkIdentity = (header: FieldsOf<typeof ELF_HEADER>, file: Uint8Array): void => {
  const demand = (holds: boolean, offset: number, expected: string, found: number): void => {
    if (!holds) throw new DecodeError(WHAT, offset, expected, hex(found));
  };
  demand(isElf(file), 0, "0x7f454c46", new DataView(file.buffer, file.byteOffset).getUint32(0));
  demand(header.class === CLASS_64, 4, "2 (64 bits)", header.class);
  demand(header.data === LITTLE_ENDIAN, 5, "1 (little endian)", header.data);
  demand(header.machine === X86_64, 18, "machine 0x3e (x86-64)", header.machine);
  const { phnum, phentsize, shnum, shentsize } = header;
  demand(phnum === 0 || phentsize === PROGRAM_HEADER.size, 54, "program headers of 56 bytes", phentsize);
  demand(shnum === 0 || shentsize === SECTION_HEADER.size, 58, "section headers of 64 bytes", shentsize);
};

const segmentsOf = (file: Uint8Array, phoff: bigint, phnum: number): Segment[] => {
  part(file, 32, "program header table", phoff, BigInt(phnum * PROGRAM_HEADER.size));
  return Array.from({ length: phnum }, (_, n) => {
    const at = Number(phoff) + n * PROGRAM_HEADER.size;
    const header = PROGRAM_HEADER.decode(file, at);
    return { ...header, bytes: part(file, at + 8, "segment", header.offset, header.filesz) };
  });
};

const textAt = (strings: Uint8Array, at: number): string => {
  const end = strings.indexOf(0, at);
  return Buffer.from(strings.subarray(at, end < 0 ? strings.length : end)).toString("latin1");
};

const sectionsOf = (file: Uint8Array, shoff: bigint, shnum: number, shstrndx: number): Section[] => {
  part(file, 40, "section header table", shoff, BigInt(shnum * SECTION_HEADER.size));
  const headers = Array.from({ length: shnum }, (_, index) => {
    const at = Number(shoff) + index * SECTION_HEADER.size;
    const header = SECTION_HEADER.decode(file, at);
    const size = header.type === SECTION_TYPE.NOBITS ? 0n : header.size;
    return { ...header, index, bytes: part(file, at + 24, "section", header.offset, size) };
  });
  const names = headers[shstrndx]?.bytes ?? new Uint8Array();
  return headers.map((header) => ({ ...header, name: textAt(names, header.name) }));
};

/**
 * Takes an ELF file apart: a vmlinux or a module.
 *
 * @throws DecodeError if it is not one for x86-64, or a header points out of the file
 */
export const decodeElf = (file: Uint8Array): Elf => {
  const header = ELF_HEADER.decode(file);
  checkIdentity(header, file);
  return {
    file,
    type: typeOf(header.type),
    entry: header.entry,
    segments: segmentsOf(file, header.phoff, header.phnum),
    sections: sectionsOf(file, header.shoff, header.shnum, header.shstrndx),
  };
};

/** The section of this name; undefined if there is none. */
export const sectionNamed = (elf: Elf, name: string): Section | undefined =>
  elf.sections.find((section) => section.name === name);
