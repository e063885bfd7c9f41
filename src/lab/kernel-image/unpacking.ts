import { MIB } from "../../units.ts";
import { ELF_HEADER, PROGRAM_HEADER, SEGMENT_TYPE } from "./elf.ts";
import type { KernelImage } from "./kernel-image.ts";
import { type Relocations, relocations } from "./relocations.ts";
import { zeroFrame } from "./zero-frame.ts";

/** Bit of `loadflags`: the protected-mode code is put at `code32_start`. */
const LOADED_HIGH = 1;
/** Bytes from the kernel's start of a word that the decompressor relocates, in the stand-in. */
const WITNESS = 0x1000;
const KERNEL_MAP = 0xffff_ffff_8000_0000n;
const HALF = 2 ** 32;

/**
 * How a kernel is unpacked by the lab in place of its decompressor, under which that takes seconds of emulation.
 *
 * The decompressor is given another payload, `standIn`: zeroes, as long as the kernel, with its ELF headers, in which no segment has
 * bytes in the file, and one place to relocate. So it does all that it does otherwise, chooses where the kernel goes, maps it, and
 * jumps into it; and before the jump is made the kernel is written there, by `unpacked` and `relocate`.
 */
export interface Unpacking {
  /** The decompressor's first instruction, at which the payload is in memory, a guest-physical address. */
  readonly start: bigint;
  /** Where the payload lies then. */
  readonly payloadAt: number;
  readonly payload: Uint8Array;
  /** What is put there, as long as the payload or shorter. A new copy each time. */
  standIn(): Uint8Array;
  /** Bytes from the kernel's start of a 32-bit word that holds, at the last jump, what virtual addresses moved by. */
  readonly witness: number;
  /** The kernel's segments as they lie in memory, from its start. A new copy each time. */
  unpacked(): Uint8Array;
  /** Moves every address in such a copy. */
  relocate(kernel: Uint8Array, slide: number): void;
}

/** The ELF file's headers, its segments without bytes. */
const emptied = (file: Uint8Array): Uint8Array => {
  const { phoff, phnum } = ELF_HEADER.decode(file);
  const head = file.slice(0, Number(phoff) + phnum * PROGRAM_HEADER.size);
  for (let n = 0; n < phnum; n++) {
    const header = head.subarray(Number(phoff) + n * PROGRAM_HEADER.size);
    if (PROGRAM_HEADER.get(header, "type") === SEGMENT_TYPE.LOAD) PROGRAM_HEADER.put(header, "filesz", 0n);
  }
  return head;
};

/**
 * The kernel that `relocate` moves begins with `base`, whose lower half counts the places.
 *
 * @source Linux arch/x86/boot/compressed/misc.c, handle_relocations
 */
const relocate = (kernel: Uint8Array, base: number, lists: Relocations, slide: number): void => {
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  const add = (places: Int32Array, by: number): void => {
    for (let n = 0; n < places.length; n++) {
      const at = (places[n]! - base) >>> 0;
      view.setInt32(at, view.getInt32(at, true) + by, true);
    }
  };
  add(lists.halves, slide);
  add(lists.inverse, -slide);
  for (let n = 0; n < lists.words.length; n++) {
    const at = (lists.words[n]! - base) >>> 0;
    const low = view.getUint32(at, true) + slide;
    view.setUint32(at, low, true);
    if (low >= HALF) view.setUint32(at + 4, view.getUint32(at + 4, true) + 1, true);
  }
};

/** Whether every place lies in `bytes` from `base` on. */
const fits = (lists: Relocations, base: number, bytes: number): boolean =>
  [lists.halves, lists.inverse, lists.words].every((places) =>
    places.every((place) => (place - base) >>> 0 <= bytes - 8),
  );

/**
 * How the lab unpacks a kernel; undefined for one that its own decompressor has to unpack: one that is not compressed by zstd, is not
 * put where QEMU puts kernels, or is built in a way that is not known here.
 */
export const unpackingOf = ({ bzImage, elf }: KernelImage): Unpacking | undefined => {
  if (bzImage === undefined || bzImage.payload.compression !== "zstd") return undefined;
  const { header, payload } = bzImage;
  const lists = relocations(elf);
  const start = Number(header.prefAddress);
  const loads = elf.segments.filter(({ type }) => type === SEGMENT_TYPE.LOAD);
  const end = Math.max(...loads.map(({ paddr, bytes }) => Number(paddr) - start + bytes.length));
  const base = Number(BigInt.asIntN(32, KERNEL_MAP + header.prefAddress));
  const isKnown = loads.every(({ paddr }) => Number(paddr) >= start) && end <= header.initSize;
  if (lists === undefined || !isKnown || !fits(lists, base, end) || payload.size < MIB) return undefined;
  const tail = new Uint8Array(Int32Array.of(0, 0, 0, base + WITNESS).buffer);
  const head = emptied(elf.file);
  if ((header.loadflags & LOADED_HIGH) === 0 || head.length > WITNESS) return undefined;
  const standIn = () => zeroFrame(head, payload.size, tail, payload.bytes.length);
  if (standIn() === undefined) return undefined;
  return {
    start: BigInt(header.code32Start),
    payloadAt: header.code32Start + header.payloadOffset,
    payload: payload.bytes,
    standIn: () => standIn()!,
    witness: WITNESS,
    unpacked: () => {
      const kernel = new Uint8Array(end);
      for (const { paddr, bytes } of loads) kernel.set(bytes, Number(paddr) - start);
      return kernel;
    },
    relocate: (kernel, slide) => relocate(kernel, base, lists, slide),
  };
};
