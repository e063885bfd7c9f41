import { type FieldsOf, struct } from "../bytes.ts";

/**
 * The fields of the boot parameters ("zero page") that carry memory and firmware tables; the rest of the 4096
 * bytes has no name here. Split addresses have their low half first named, the high half apart.
 *
 * @source Linux arch/x86/include/uapi/asm/bootparam.h
 */
export const BOOT_PARAMS = struct(
  "boot_params",
  4096,
  {
    acpiRsdpAddr: [0x070, "u64"], // guest-physical byte address
    extRamdiskImage: [0x0c0, "u32"], // high half of ramdiskImage
    extRamdiskSize: [0x0c4, "u32"],
    extCmdLinePtr: [0x0c8, "u32"],
    ccBlobAddress: [0x13c, "u32"], // SNP
    efiLoaderSignature: [0x1c0, "ascii:4"],
    efiSystab: [0x1c4, "u32"],
    efiMemdescSize: [0x1c8, "u32"], // stride of the memory map, bytes
    efiMemdescVersion: [0x1cc, "u32"],
    efiMemmap: [0x1d0, "u32"],
    efiMemmapSize: [0x1d4, "u32"], // bytes
    efiSystabHi: [0x1d8, "u32"],
    efiMemmapHi: [0x1dc, "u32"],
    altMemK: [0x1e0, "u32"], // KiB above 1 MiB by an old count; the EFI stub writes 32768
    e820Entries: [0x1e8, "u8"],
    secureBoot: [0x1ec, "u8"],
    sentinel: [0x1ef, "u8"],
    ramdiskImage: [0x218, "u32"], // guest-physical byte address, or 0
    ramdiskSize: [0x21c, "u32"], // bytes
    cmdLinePtr: [0x228, "u32"],
    cmdlineSize: [0x238, "u32"], // longest command line, bytes, without its final zero
    setupData: [0x250, "u64"], // address of the first setup_data node, or 0
    initSize: [0x260, "u32"], // bytes of contiguous memory that the kernel needs from where it is loaded
  },
  "holes",
);
export type BootParams = FieldsOf<typeof BOOT_PARAMS>;

/** Signatures of 64-bit and 32-bit firmware. */
export const EFI_LOADER_SIGNATURE = { EL64: "EL64", EL32: "EL32" } as const;

const HIGH_HALF = {
  efiSystab: "efiSystabHi",
  efiMemmap: "efiMemmapHi",
  ramdiskImage: "extRamdiskImage",
  ramdiskSize: "extRamdiskSize",
  cmdLinePtr: "extCmdLinePtr",
} as const;
type SplitField = keyof typeof HIGH_HALF;

/** Reads an address, or a size, whose halves lie apart. */
export const bootParamsAddress = (bytes: Uint8Array, field: SplitField): bigint =>
  (BigInt(BOOT_PARAMS.get(bytes, HIGH_HALF[field])) << 32n) | BigInt(BOOT_PARAMS.get(bytes, field));

/** Writes an address whose halves lie apart. */
export const putBootParamsAddress = (bytes: Uint8Array, field: SplitField, address: bigint): void => {
  BOOT_PARAMS.put(bytes, field, Number(address & 0xffff_ffffn));
  BOOT_PARAMS.put(bytes, HIGH_HALF[field], Number(address >> 32n));
};
