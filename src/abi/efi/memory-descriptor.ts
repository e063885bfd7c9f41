import { DecodeError, type FieldsOf, struct } from "../bytes.ts";

/**
 * Types of EFI memory descriptors.
 *
 * @source UEFI 2.10, 7.2 (EFI_MEMORY_TYPE); Linux include/linux/efi.h
 */
export const EFI_MEMORY_TYPE = {
  RESERVED: 0,
  LOADER_CODE: 1,
  LOADER_DATA: 2,
  BOOT_SERVICES_CODE: 3,
  BOOT_SERVICES_DATA: 4,
  RUNTIME_SERVICES_CODE: 5,
  RUNTIME_SERVICES_DATA: 6,
  CONVENTIONAL: 7,
  UNUSABLE: 8,
  ACPI_RECLAIM: 9,
  ACPI_NVS: 10,
  MMIO: 11,
  MMIO_PORT_SPACE: 12,
  PAL_CODE: 13,
  PERSISTENT: 14,
  UNACCEPTED: 15,
} as const;
export type EfiMemoryType = keyof typeof EFI_MEMORY_TYPE;

/**
 * Bits of a descriptor's attribute word.
 *
 * @source UEFI 2.10, 7.2; UNACCEPTED_HOT_PLUG: the draft "Unaccepted Hot-Plug Memory Attribute" of 2026-07, not merged
 */
export const EFI_MEMORY_ATTRIBUTE = {
  UC: 1n << 0n, // uncached
  WC: 1n << 1n, // write-combining
  WT: 1n << 2n, // write-through
  WB: 1n << 3n, // write-back
  UCE: 1n << 4n, // uncached, exported
  WP: 1n << 12n, // write-protected
  RP: 1n << 13n, // read-protected
  XP: 1n << 14n, // execute-protected
  NV: 1n << 15n, // non-volatile
  MORE_RELIABLE: 1n << 16n,
  RO: 1n << 17n, // read-only
  SP: 1n << 18n, // specific-purpose: soft reserved
  CPU_CRYPTO: 1n << 19n,
  HOT_PLUGGABLE: 1n << 20n, // present at boot, may be removed later
  UNACCEPTED_HOT_PLUG: 1n << 21n, // on UNACCEPTED: a window without memory behind it yet
  RUNTIME: 1n << 63n,
} as const;

/** What ordinary RAM carries: all four cache modes. */
export const EFI_MEMORY_CACHEABLE =
  EFI_MEMORY_ATTRIBUTE.UC | EFI_MEMORY_ATTRIBUTE.WC | EFI_MEMORY_ATTRIBUTE.WT | EFI_MEMORY_ATTRIBUTE.WB;

export const EFI_MEMORY_DESCRIPTOR_VERSION = 1;
/** EFI counts pages of 4 KiB on every machine. */
export const EFI_PAGE_SIZE = 4096n;

/** @source UEFI 2.10, 7.2 (EFI_MEMORY_DESCRIPTOR) */
export const EFI_MEMORY_DESCRIPTOR = struct("EFI memory descriptor", 40, {
  type: [0, "u32"],
  padding: [4, "u32"],
  physAddr: [8, "u64"],
  virtAddr: [16, "u64"],
  numPages: [24, "u64"], // of 4 KiB
  attribute: [32, "u64"],
});
export type EfiMemoryDescriptor = FieldsOf<typeof EFI_MEMORY_DESCRIPTOR>;

/** A descriptor of [start, end), guest-physical bytes, whole pages; without a virtual address. */
export const efiMemoryDescriptor = (
  type: EfiMemoryType,
  start: bigint,
  end: bigint,
  attribute: bigint = EFI_MEMORY_CACHEABLE,
): EfiMemoryDescriptor => ({
  type: EFI_MEMORY_TYPE[type],
  padding: 0,
  physAddr: start,
  virtAddr: 0n,
  numPages: (end - start) / EFI_PAGE_SIZE,
  attribute,
});

/** End of the described memory: the address after the last byte, modulo 2^64 as the kernel computes it. */
export const efiMemoryEnd = ({ physAddr, numPages }: EfiMemoryDescriptor): bigint =>
  BigInt.asUintN(64, physAddr + numPages * EFI_PAGE_SIZE);

/** Descriptors in a map of so many bytes: an incomplete one at the end does not count. */
export const efiDescriptorCount = (mapBytes: number, stride: number): number => Math.floor(mapBytes / stride);

/**
 * Reads a memory map. Firmware says how far apart descriptors lie, and may make them larger than 40 bytes; what
 * it puts into the rest is skipped.
 *
 * @param stride bytes from one descriptor to the next
 * @throws DecodeError if the stride is below 40
 */
export const decodeMemoryMap = (bytes: Uint8Array, stride: number): EfiMemoryDescriptor[] => {
  if (!(stride >= EFI_MEMORY_DESCRIPTOR.size)) {
    throw new DecodeError("EFI memory map", 0, "descriptors of 40 bytes or more", `a stride of ${stride}`);
  }
  const count = efiDescriptorCount(bytes.length, stride);
  return Array.from({ length: count }, (_, i) => EFI_MEMORY_DESCRIPTOR.decode(bytes, i * stride));
};

/** Writes a memory map; bytes between descriptors are zero. */
export const encodeMemoryMap = (
  descriptors: readonly EfiMemoryDescriptor[],
  stride: number = EFI_MEMORY_DESCRIPTOR.size,
): Uint8Array => {
  const bytes = new Uint8Array(descriptors.length * stride);
  for (const [i, descriptor] of descriptors.entries())
    bytes.set(EFI_MEMORY_DESCRIPTOR.encode(descriptor), i * stride);
  return bytes;
};
