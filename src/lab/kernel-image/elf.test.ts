import fc from "fast-check";
import { expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { decodeElf, ELF_HEADER, sectionNamed } from "./elf.ts";
import { addressOfOffset, bytesAt, physicalOf } from "./elf-memory.ts";
import { tinyElf } from "./testing/tiny-elf.ts";

const VIRTUAL = 0xffff_ffff_8100_0000n;
const text = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
const file = tinyElf(
  [
    { vaddr: VIRTUAL, paddr: 0x100_0000n, bytes: text, memsz: 32 },
    { vaddr: 0n, paddr: 0x200_0000n, bytes: Uint8Array.of(0xaa) },
  ],
  [
    { name: ".text", addr: VIRTUAL, bytes: text, flags: 6n },
    { name: ".bss", addr: VIRTUAL + 16n, bytes: new Uint8Array(), type: 8 },
  ],
  { entry: 0x100_0b53n },
);

it("segments and sections are views of the file, with their names", () => {
  const elf = decodeElf(file);
  expect(elf).toMatchObject({ type: "EXEC", entry: 0x100_0b53n });
  expect(elf.segments.map(({ bytes }) => [...bytes])).toEqual([[...text], [0xaa]]);
  expect(elf.sections.map(({ name, index }) => [name, index])).toEqual([
    ["", 0],
    [".text", 1],
    [".bss", 2],
    [".shstrtab", 3],
  ]);
  expect(sectionNamed(elf, ".text")?.bytes).toEqual(text);
  expect(sectionNamed(elf, ".data")).toBeUndefined();
});

it("bytes are found by virtual and by physical address, and only where the file has them all", () => {
  const elf = decodeElf(file);
  expect(bytesAt(elf, VIRTUAL + 2n, 3)).toEqual(Uint8Array.of(3, 4, 5));
  expect(bytesAt(elf, 0x100_0008n, 1, "paddr")).toEqual(Uint8Array.of(9));
  expect(bytesAt(elf, 0x200_0000n, 1, "paddr")).toEqual(Uint8Array.of(0xaa));
  expect(bytesAt(elf, VIRTUAL + 8n, 2)).toBeUndefined();
  expect(bytesAt(elf, VIRTUAL - 1n, 2)).toBeUndefined();
});

it("addresses, file offsets and physical addresses follow from each other", () => {
  const elf = decodeElf(file);
  const offset = Number(elf.segments[0]!.offset);
  expect(addressOfOffset(elf, offset + 3)).toBe(VIRTUAL + 3n);
  expect(addressOfOffset(elf, offset + 3, "paddr")).toBe(0x100_0003n);
  expect(addressOfOffset(elf, 0)).toBeUndefined();
  expect(physicalOf(elf, VIRTUAL + 31n)).toBe(0x100_001fn);
  expect(physicalOf(elf, VIRTUAL + 32n)).toBeUndefined();
});

it.each([
  ["class", 1, "byte 4: expected 2 (64 bits), found 0x1"],
  ["data", 2, "byte 5: expected 1 (little endian), found 0x2"],
  ["machine", 183, "byte 18: expected machine 0x3e (x86-64), found 0xb7"],
  ["type", 4, "byte 16: expected type 1 (REL), 2 (EXEC) or 3 (DYN), found 4"],
  ["phentsize", 32, "byte 54: expected program headers of 56 bytes, found 0x20"],
  ["shentsize", 40, "byte 58: expected section headers of 64 bytes, found 0x28"],
  ["phoff", 0xffff_ffff_ffff_ffffn, "byte 32: expected a program header table inside the file's"],
  ["shnum", 0xffff, "byte 40: expected a section header table inside the file's"],
] as const)("a wrong %s is named with its offset", (field, value, message) => {
  const bytes = file.slice();
  ELF_HEADER.put(bytes, field, value);
  expect(() => decodeElf(bytes)).toThrow(message);
});

it("an ELF file with any bytes changed decodes or throws DecodeError", () => {
  const change = fc.tuple(fc.nat({ max: file.length - 1 }), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.nat({ max: file.length }), (changes, length) => {
      const bytes = file.slice(0, length);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        const elf = decodeElf(bytes);
        bytesAt(elf, VIRTUAL, 4);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }),
  );
});
