import type { Elf } from "./elf.ts";
import { bytesBetween } from "./elf-memory.ts";
import type { SymbolTable } from "./symbol-table.ts";

/**
 * Tables of the places in its code that the kernel rewrites while it boots or runs, by the symbols that bound them.
 * Every entry begins with the place, 32 bits relative to where they stand; how entries go on differs by release.
 *
 * @source Linux arch/x86/kernel/vmlinux.lds.S, include/asm-generic/vmlinux.lds.h
 */
const TABLES = [
  ["__alt_instructions", "__alt_instructions_end"],
  ["__return_sites", "__return_sites_end"],
  ["__retpoline_sites", "__retpoline_sites_end"],
  ["__call_sites", "__call_sites_end"],
  ["__ibt_endbr_seal", "__ibt_endbr_seal_end"],
  ["__cfi_sites", "__cfi_sites_end"],
  ["__smp_locks", "__smp_locks_end"],
  ["__start___jump_table", "__stop___jump_table"],
  ["__start_static_call_sites", "__stop_static_call_sites"],
] as const;

/** Tells whether the kernel may rewrite a byte of its text. */
export interface PatchSites {
  /** The first such place from `start` up to `end`, addresses as linked; undefined if there is none. */
  first(start: bigint, end: bigint): bigint | undefined;
}

/**
 * Reads every place that an entry may name. Words inside entries are tried too, so that it need not know how long an
 * entry is: a place too many costs a candidate, one too few would cost the guest.
 *
 * @param symbols where the image is linked
 */
export const readPatchSites = (elf: Elf, symbols: SymbolTable): PatchSites => {
  const origin = symbols.addressOf("_stext") ?? 0n;
  const text = Number((symbols.addressOf("_etext") ?? origin) - origin);
  const length = Math.min(Math.max(0, text), elf.file.length);
  /** 1 for each byte of text where a place is. */
  const places = new Uint8Array(length);
  for (const [first, last] of TABLES) {
    const start = symbols.addressOf(first);
    const table = bytesBetween(elf, symbols, first, last);
    if (start === undefined || table === undefined) continue;
    const words = new DataView(table.buffer, table.byteOffset, table.byteLength);
    const distance = Number(start - origin);
    for (let at = 0; at + 4 <= table.length; at += 2) {
      const place = distance + at + words.getInt32(at, true);
      if (0 <= place && place < length) places[place] = 1;
    }
  }
  return {
    first: (start, end) => {
      const at = places.subarray(0, Math.max(0, Number(end - origin))).indexOf(1, Number(start - origin));
      return at < 0 ? undefined : origin + BigInt(at);
    },
  };
};
