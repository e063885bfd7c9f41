import { hex } from "../bytes.ts";
import {
  EFI_MEMORY_ATTRIBUTE as ATTRIBUTE,
  EFI_PAGE_SIZE,
  type EfiMemoryDescriptor,
} from "./memory-descriptor.ts";

/**
 * EFI memory types by number, in the kernel's words.
 *
 * @source Linux drivers/firmware/efi/efi.c, memory_type_name[]
 */
export const EFI_TYPES = [
  "Reserved",
  "Loader Code",
  "Loader Data",
  "Boot Code",
  "Boot Data",
  "Runtime Code",
  "Runtime Data",
  "Conventional",
  "Unusable",
  "ACPI Reclaim",
  "ACPI Mem NVS",
  "MMIO",
  "MMIO Port",
  "PAL Code",
  "Persistent",
  "Unaccepted",
] as const;
const NAME_COLUMNS = 12;

/** The attribute columns from left to right; a column is as wide as its letters. */
const COLUMNS: readonly (readonly [letters: string, bit: bigint])[] = [
  ["RUN", ATTRIBUTE.RUNTIME],
  ["HP", ATTRIBUTE.HOT_PLUGGABLE],
  ["MR", ATTRIBUTE.MORE_RELIABLE],
  ["CC", ATTRIBUTE.CPU_CRYPTO],
  ["SP", ATTRIBUTE.SP],
  ["NV", ATTRIBUTE.NV],
  ["XP", ATTRIBUTE.XP],
  ["RP", ATTRIBUTE.RP],
  ["WP", ATTRIBUTE.WP],
  ["RO", ATTRIBUTE.RO],
  ["UCE", ATTRIBUTE.UCE],
  ["WB", ATTRIBUTE.WB],
  ["WT", ATTRIBUTE.WT],
  ["WC", ATTRIBUTE.WC],
  ["UC", ATTRIBUTE.UC],
];
const KNOWN = COLUMNS.reduce((all, [, bit]) => all | bit, 0n);

/** The name of a descriptor type as the kernel prints it; a type without a name as "type=N". */
export const efiTypeName = (type: number): string => EFI_TYPES[type] ?? `type=${type}`;

const attributeColumns = (attribute: bigint): string => {
  // One unknown bit, such as the proposed hot-plug bit, makes the kernel print the raw word instead.
  if ((attribute & ~KNOWN) !== 0n) return `|attr=${hex(attribute, 16)}`;
  return COLUMNS.map(
    ([letters, bit]) => `|${(attribute & bit) === 0n ? " ".repeat(letters.length) : letters}`,
  ).join("");
};

/**
 * One line of the memory map that a kernel booted with efi=debug prints. The range is inclusive; the size is
 * whole MiB.
 *
 * @param index number of the descriptor in the map
 * @source Linux drivers/firmware/efi/efi.c (efi_md_typeattr_format), arch/x86/platform/efi/efi.c
 * @missing the older form without the HP column
 */
export const efiMemoryLine = (index: number, descriptor: EfiMemoryDescriptor): string => {
  const { type, physAddr, numPages, attribute } = descriptor;
  const name = type < EFI_TYPES.length ? efiTypeName(type).padEnd(NAME_COLUMNS) : efiTypeName(type);
  const last = BigInt.asUintN(64, physAddr + numPages * EFI_PAGE_SIZE - 1n);
  const range = `[${hex(physAddr, 16)}-${hex(last, 16)}]`;
  const number = `${index}`.padStart(2, "0");
  return `efi: mem${number}: [${name}${attributeColumns(attribute)}] range=${range} (${numPages >> 8n}MB)`;
};
