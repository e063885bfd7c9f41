import { hex } from "../bytes.ts";
import { E820_TYPE, type E820Entry } from "./e820.ts";

/** The words changed once, between these two kernels; the newer ones also print gaps. */
export type E820Wording = "6.12" | "7.3";

type Words = { readonly [type: number]: string };

const WORDS: { readonly [wording in E820Wording]: Words } = {
  "6.12": {
    [E820_TYPE.RAM]: "usable",
    [E820_TYPE.RESERVED]: "reserved",
    [E820_TYPE.SOFT_RESERVED]: "soft reserved",
    [E820_TYPE.ACPI]: "ACPI data",
    [E820_TYPE.NVS]: "ACPI NVS",
    [E820_TYPE.UNUSABLE]: "unusable",
    [E820_TYPE.PMEM]: `persistent (type ${E820_TYPE.PMEM})`,
    [E820_TYPE.PRAM]: `persistent (type ${E820_TYPE.PRAM})`,
  },
  "7.3": {
    [E820_TYPE.RAM]: "System RAM",
    [E820_TYPE.RESERVED]: "device reserved",
    [E820_TYPE.SOFT_RESERVED]: "soft reserved",
    [E820_TYPE.ACPI]: "ACPI data",
    [E820_TYPE.NVS]: "ACPI NVS",
    [E820_TYPE.UNUSABLE]: "unusable",
    [E820_TYPE.PMEM]: `persistent RAM (type ${E820_TYPE.PMEM})`,
    [E820_TYPE.PRAM]: `persistent RAM (type ${E820_TYPE.PRAM})`,
  },
};

/** The kernel's words for an entry type; a type without words prints as "type N". */
export const e820TypeName = (type: number, wording: E820Wording): string =>
  WORDS[wording][type] ?? `type ${type}`;

const range = (kind: "mem" | "gap", start: bigint, end: bigint): string =>
  `[${kind} ${hex(start, 16)}-${hex(BigInt.asUintN(64, end - 1n), 16)}]`;

/**
 * The lines in which the kernel prints an e820 table, in the table's order; ranges are inclusive. The newer
 * kernels name the gap before each entry, the one from 0 included, and complain of an entry that starts before the
 * last one ended.
 *
 * @param who the map's name: "BIOS-e820" for what the boot loader or the stub handed over
 * @source Linux arch/x86/kernel/e820.c (e820__print_table, e820_print_type)
 */
export const e820Lines = (
  entries: readonly E820Entry[],
  wording: E820Wording,
  who = "BIOS-e820",
): string[] => {
  if (wording === "6.12") {
    return entries.map(
      ({ addr, size, type }) => `${who}: ${range("mem", addr, addr + size)} ${e820TypeName(type, wording)}`,
    );
  }
  let lastEnd = 0n;
  return entries.flatMap(({ addr, size, type }) => {
    const end = BigInt.asUintN(64, addr + size);
    const before: string[] = [];
    if (addr < lastEnd) before.push("[Firmware Bug]: out of order E820 entry!");
    if (addr > lastEnd) before.push(`${who}: ${range("gap", lastEnd, addr)}`);
    lastEnd = end;
    return [...before, `${who}: ${range("mem", addr, end)}  ${e820TypeName(type, wording)}`];
  });
};
