import { decodeElf } from "../elf.ts";
import { Kallsyms, readKallsyms } from "../kallsyms.ts";
import type { KernelImage } from "../kernel-image.ts";
import { encodeKallsyms, type TinySymbol } from "./kallsyms-encoding.ts";
import { tinyElf } from "./tiny-elf.ts";

/** Where a tiny kernel's text and read-only data are linked. */
export const TEXT = 0xffff_ffff_8100_0000n;
export const RODATA = 0xffff_ffff_8200_0000n;
export const TEXT_BYTES = 0x2000;

/** Symbols by their offset from TEXT; RODATA is 0x1000000 behind it. */
export type Symbols = Readonly<Record<string, number>>;

const BOUNDS: Symbols = {
  _text: 0,
  _stext: 0,
  _etext: TEXT_BYTES,
  _sinittext: TEXT_BYTES,
  _einittext: TEXT_BYTES,
};

/** Sorted, with enough variables for more than one group of names, so that the list is not ambiguous. */
const listed = (symbols: Symbols): TinySymbol[] => {
  const variables = Array.from({ length: 300 }, (_, n) => [`variable_${n}`, 0x200_0000 + n] as const);
  return [...Object.entries({ ...BOUNDS, ...symbols }), ...variables]
    .map(([name, value]) => ({ type: "t", name, value }))
    .sort((a, b) => a.value - b.value);
};

/**
 * A vmlinux with pages of text, and read-only data that holds its symbols and, at RODATA, other bytes.
 *
 * @param code pieces of text by their offset; the rest is int3
 * @param data bytes at RODATA, at most 4096
 */
export const tinyVmlinux = (
  symbols: Symbols,
  code: Readonly<Record<number, readonly number[]>> = {},
  data: Uint8Array = new Uint8Array(),
): Uint8Array => {
  const text = new Uint8Array(TEXT_BYTES).fill(0xcc);
  for (const [at, bytes] of Object.entries(code)) text.set(bytes, Number(at));
  const list = encodeKallsyms(listed(symbols), "offsets after names", {
    base: TEXT,
    address: RODATA,
  });
  const rodata = new Uint8Array(4096 + list.length);
  rodata.set(data);
  rodata.set(list, 4096);
  return tinyElf([
    { vaddr: TEXT, paddr: 0x100_0000n, bytes: text },
    { vaddr: RODATA, paddr: 0x200_0000n, bytes: rodata },
  ]);
};

/** The same, read. */
export const tinyKernel = (...parts: Parameters<typeof tinyVmlinux>): KernelImage => {
  const elf = decodeElf(tinyVmlinux(...parts));
  return { release: "6.12.0-tiny", bzImage: undefined, elf, symbols: Kallsyms.of(readKallsyms(elf)) };
};
