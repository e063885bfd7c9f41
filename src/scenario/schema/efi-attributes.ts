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
