import { ELF_HEADER, PROGRAM_HEADER, SECTION_HEADER } from "../elf.ts";

export interface TinySegment {
  readonly vaddr: bigint;
  readonly paddr: bigint;
  readonly bytes: Uint8Array;
  /** Bytes in memory, if more than in the file. */
  readonly memsz?: number;
}
export interface TinySection {
  readonly name: string;
  readonly addr: bigint;
  readonly bytes: Uint8Array;
  readonly type?: number;
  readonly flags?: bigint;
  readonly link?: number;
  readonly info?: number;
}

const joined = (pieces: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(pieces));

const nameTable = (names: readonly string[]): { bytes: Uint8Array; at: number[] } => {
  const at: number[] = [];
  let text = "\0";
  for (const name of names) {
    at.push(text.length);
    text += `${name}\0`;
  }
  return { bytes: Buffer.from(text, "latin1"), at };
};

const HEADER = {
  magic: Uint8Array.of(0x7f, 0x45, 0x4c, 0x46),
  class: 2,
  data: 1,
  identVersion: 1,
  osAbi: 0,
  abiVersion: 0,
  pad: new Uint8Array(7),
  machine: 62,
  version: 1,
  flags: 0,
  ehsize: 64,
  phentsize: 56,
  shentsize: 64,
};

/** An ELF file with these segments and sections; sections have index 1 and up, .shstrtab the last. */
export const tinyElf = (
  segments: readonly TinySegment[],
  sections: readonly TinySection[] = [],
  { type = 2, entry = 0n }: { type?: number; entry?: bigint } = {},
): Uint8Array => {
  const names = nameTable([...sections.map(({ name }) => name), ".shstrtab"]);
  const all: TinySection[] = [...sections, { name: ".shstrtab", addr: 0n, bytes: names.bytes, type: 3 }];
  let offset = 64 + 56 * segments.length;
  const place = (bytes: Uint8Array): bigint => {
    const at = offset;
    offset += Math.ceil(bytes.length / 8) * 8;
    return BigInt(at);
  };
  const programs = segments.map(({ vaddr, paddr, bytes, memsz = bytes.length }) => {
    const size = { filesz: BigInt(bytes.length), memsz: BigInt(memsz) };
    return PROGRAM_HEADER.encode({
      type: 1,
      flags: 5,
      offset: place(bytes),
      vaddr,
      paddr,
      ...size,
      align: 8n,
    });
  });
  const headers = all.map(({ addr, bytes, type: kind = 1, flags = 2n, link = 0, info = 0 }, n) =>
    SECTION_HEADER.encode({
      ...{ name: names.at[n]!, type: kind, flags, addr, offset: place(bytes), size: BigInt(bytes.length) },
      ...{ link, info, addralign: 1n, entsize: 0n },
    }),
  );
  const counts = { phnum: segments.length, shnum: all.length + 1, shstrndx: all.length };
  const tables = { phoff: 64n, shoff: BigInt(offset) };
  const padded = [...segments, ...all].map(({ bytes }) => joined([bytes, new Uint8Array(-bytes.length & 7)]));
  return joined([
    ELF_HEADER.encode({ ...HEADER, ...counts, ...tables, type, entry }),
    ...programs,
    ...padded,
    new Uint8Array(64),
    ...headers,
  ]);
};
