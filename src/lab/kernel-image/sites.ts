import { DecodeError } from "../../abi/bytes.ts";
import type { Elf } from "./elf.ts";
import { bytesAt } from "./elf-memory.ts";
import type { SymbolPlace, SymbolTable } from "./symbol-table.ts";

/** An instruction of the kernel's text. */
export interface Site {
  /** Where it starts, as linked. */
  readonly address: bigint;
  readonly place: SymbolPlace | undefined;
}

/** Instructions that a TD's kernel uses to reach the TDX module or the CPU. */
export const INSTRUCTION = {
  TDCALL: [0x66, 0x0f, 0x01, 0xcc],
  CPUID: [0x0f, 0xa2],
} as const;

/** The functions that hold the kernel's TDCALLs, one each, from Linux 6.7 on. */
export const TDCALL_FUNCTIONS = ["__tdcall", "__tdcall_ret", "__tdcall_saved_ret"] as const;

/** First and last symbol of what the kernel executes: its text, and the text it frees after boot. */
const CODE = [
  ["_stext", "_etext"],
  ["_sinittext", "_einittext"],
] as const;

/** A range of code with its bytes, as linked. */
export interface CodeRange {
  readonly start: bigint;
  readonly bytes: Uint8Array;
}

/**
 * The kernel's code, before it patches itself.
 *
 * @throws DecodeError if the symbols that bound it are missing
 */
export const codeRanges = (elf: Elf, symbols: SymbolTable): CodeRange[] =>
  CODE.map(([first, last]) => {
    const start = symbols.addressOf(first);
    const end = symbols.addressOf(last);
    const bytes =
      start === undefined || end === undefined || end < start
        ? undefined
        : bytesAt(elf, start, Number(end - start));
    if (start === undefined || bytes === undefined)
      throw new DecodeError("kernel text", 0, `code from ${first} to ${last}`, "none");
    return { start, bytes };
  });

/**
 * Every place in the code that has an instruction's bytes. Two bytes may also turn up inside another instruction:
 * a breakpoint that leaves memory alone does no harm there, a patch would.
 *
 * @param symbols where the image is linked, not where it runs
 */
export const instructionSites = (
  elf: Elf,
  symbols: SymbolTable,
  instruction: keyof typeof INSTRUCTION,
): Site[] => {
  const pattern = Uint8Array.from(INSTRUCTION[instruction]);
  return codeRanges(elf, symbols).flatMap(({ start, bytes }) => {
    const code = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const sites: Site[] = [];
    for (let at = code.indexOf(pattern); at >= 0; at = code.indexOf(pattern, at + 1)) {
      const address = start + BigInt(at);
      sites.push({ address, place: symbols.nearest(address) });
    }
    return sites;
  });
};
