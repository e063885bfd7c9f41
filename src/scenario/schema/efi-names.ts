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

/**
 * Attribute bits of a descriptor. UHP is a proposal (bit 21: unaccepted hot-plug window).
 *
 * @source Linux include/linux/efi.h, EFI_MEMORY_*
 */
export const EFI_ATTRIBUTES = [
  "UC",
  "WC",
  "WT",
  "WB",
  "UCE",
  "WP",
  "RP",
  "XP",
  "NV",
  "MORE_RELIABLE",
  "RO",
  "SP",
  "CPU_CRYPTO",
  "HOT_PLUGGABLE",
  "UHP",
  "RUNTIME",
] as const;
