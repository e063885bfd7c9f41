import { DecodeError } from "../../abi/bytes.ts";
import { ELF_HEADER, type Elf, SECTION_HEADER } from "./elf.ts";
import { bytesAt } from "./elf-memory.ts";

/** A pointer in the image to which the decompressor adds what it moves the kernel by. */
export interface RelocatedPointer {
  /** Where it lies, as linked. */
  readonly at: bigint;
  /** What it holds before. */
  readonly value: bigint;
}

const WHAT = "kernel relocations";
/** KASLR moves pointers into this range only: KERNEL_IMAGE_SIZE from where kernels are linked. */
const IMAGE_START = 0xffff_ffff_8000_0000n;
const IMAGE_END = 0xffff_ffff_c000_0000n;
/** The lists that the build appends: 32-bit places, in kernels before 6.15 those that count backward, 64-bit ones. */
const LISTS = 3;

const pointerAt = (elf: Elf, at: bigint): bigint | undefined => {
  const bytes = bytesAt(elf, at, 8);
  if (bytes === undefined) return undefined;
  const value = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  return IMAGE_START <= value && value < IMAGE_END ? value : undefined;
};

/**
 * A pointer that the decompressor relocates. In the running kernel it tells how far that was moved.
 *
 * Behind the ELF file the build appends lists of places, each begun by a zero word, and the decompressor reads them
 * from the end: the list of 64-bit places is the first one. Taken is its first whole word that points into the image.
 *
 * @throws DecodeError if the image has no such lists (CONFIG_RELOCATABLE and CONFIG_X86_NEED_RELOCS)
 * @source Linux arch/x86/boot/compressed/misc.c, handle_relocations; arch/x86/tools/relocs.c, emit_relocs
 */
export const relocatedPointer = (elf: Elf): RelocatedPointer => {
  const { file } = elf;
  const words = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let end = file.length;
  for (let list = 0; list < LISTS && end > 4; list++) {
    let start = end;
    while (start >= 4 && words.getInt32(start - 4, true) !== 0) start -= 4;
    for (let at = start; list > 0 && at < end; at += 4) {
      const place = BigInt.asUintN(64, BigInt(words.getInt32(at, true)));
      const value = place % 8n === 0n ? pointerAt(elf, place) : undefined;
      if (value !== undefined) return { at: place, value };
    }
    end = start - 4;
  }
  throw new DecodeError(WHAT, file.length, "a list of 64-bit places at the end", "none");
};

/** Places in the image that move with it, as linked, each list in the order of the file. Low halves of virtual addresses. */
export interface Relocations {
  /** 64-bit words that hold an address. */
  readonly words: Int32Array;
  /** 32-bit words that hold one. */
  readonly halves: Int32Array;
  /** 32-bit words from which one was subtracted: none in kernels from 6.15 on. */
  readonly inverse: Int32Array;
}

/** Where an ELF file ends that has something appended: behind its last section, or behind their headers. */
const endOfElf = ({ file, sections }: Elf): number => {
  const { shoff, shnum } = ELF_HEADER.decode(file);
  const ends = sections.map(({ offset, bytes }) => Number(offset) + bytes.length);
  return Math.max(Number(shoff) + shnum * SECTION_HEADER.size, ...ends);
};

/**
 * The lists of places that the build appends to the ELF file, each begun by a zero word.
 *
 * @returns undefined unless what is appended is two such lists, or three
 * @source Linux arch/x86/tools/relocs.c, emit_relocs
 */
export const relocations = (elf: Elf): Relocations | undefined => {
  const { file } = elf;
  const from = endOfElf(elf);
  if (elf.sections.length === 0 || (file.length - from) % 4 !== 0) return undefined;
  const places = new Int32Array(file.slice(from).buffer);
  const lists: Int32Array[] = [];
  for (let at = 0; at < places.length; ) {
    const next = places.indexOf(0, at + 1);
    const end = next < 0 ? places.length : next;
    if (places[at] !== 0) return undefined;
    lists.push(places.subarray(at + 1, end));
    at = end;
  }
  const [words, ...others] = lists;
  const halves = others.at(-1);
  if (words === undefined || halves === undefined || others.length > 2) return undefined;
  return { words, halves, inverse: others.length === 2 ? others[0]! : new Int32Array() };
};
