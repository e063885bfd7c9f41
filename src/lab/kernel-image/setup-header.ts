import { DecodeError, type FieldsOf, hex, struct } from "../../abi/bytes.ts";

/**
 * The setup header of a bzImage, by its offsets in the file. The boot sector before 0x1f1 has no name here.
 *
 * @source Linux Documentation/arch/x86/boot.rst; arch/x86/include/uapi/asm/bootparam.h, struct setup_header
 */
export const SETUP_HEADER = struct(
  "bzImage setup header",
  0x26c,
  {
    setupSects: [0x1f1, "u8"], // 512-byte sectors after the boot sector; 0 means 4
    rootFlags: [0x1f2, "u16"],
    syssize: [0x1f4, "u32"], // protected-mode code, in units of 16 bytes
    ramSize: [0x1f8, "u16"],
    vidMode: [0x1fa, "u16"],
    rootDev: [0x1fc, "u16"],
    bootFlag: [0x1fe, "u16"],
    jump: [0x200, "u16"],
    header: [0x202, "ascii:4"],
    version: [0x206, "u16"], // of the boot protocol: major in the high byte
    realmodeSwtch: [0x208, "u32"],
    startSysSeg: [0x20c, "u16"],
    kernelVersion: [0x20e, "u16"], // file offset of the version string, less 0x200; 0 if there is none
    typeOfLoader: [0x210, "u8"],
    loadflags: [0x211, "u8"],
    setupMoveSize: [0x212, "u16"],
    code32Start: [0x214, "u32"],
    ramdiskImage: [0x218, "u32"],
    ramdiskSize: [0x21c, "u32"],
    bootsectKludge: [0x220, "u32"],
    heapEndPtr: [0x224, "u16"],
    extLoaderVer: [0x226, "u8"],
    extLoaderType: [0x227, "u8"],
    cmdLinePtr: [0x228, "u32"],
    initrdAddrMax: [0x22c, "u32"],
    kernelAlignment: [0x230, "u32"],
    relocatableKernel: [0x234, "u8"],
    minAlignment: [0x235, "u8"], // power of two
    xloadflags: [0x236, "u16"],
    cmdlineSize: [0x238, "u32"],
    hardwareSubarch: [0x23c, "u32"],
    hardwareSubarchData: [0x240, "u64"],
    payloadOffset: [0x248, "u32"], // from the start of the protected-mode code
    payloadLength: [0x24c, "u32"],
    setupData: [0x250, "u64"],
    prefAddress: [0x258, "u64"], // guest-physical address the kernel is linked for
    initSize: [0x260, "u32"], // bytes of contiguous memory the kernel needs from its start
    handoverOffset: [0x264, "u32"],
    kernelInfoOffset: [0x268, "u32"],
  },
  "holes",
);
export type SetupHeader = FieldsOf<typeof SETUP_HEADER>;

/** Bits of xloadflags. */
export const XLOADFLAG = {
  KERNEL_64: 0x01,
  CAN_BE_LOADED_ABOVE_4G: 0x02,
  EFI_HANDOVER_32: 0x04,
  EFI_HANDOVER_64: 0x08,
  EFI_KEXEC: 0x10,
  "5LEVEL": 0x20,
  "5LEVEL_ENABLED": 0x40,
} as const;

const BOOT_FLAG = 0xaa55;
const MAGIC = "HdrS";
/** Protocol 2.12 (Linux 3.8) is the first with xloadflags, which tell a 64-bit kernel. */
const OLDEST = 0x20c;

const printed = (version: number): string => `${version >> 8}.${version & 0xff}`;

const demand = (holds: boolean, offset: number, expected: string, found: string): void => {
  if (!holds) throw new DecodeError(SETUP_HEADER.name, offset, expected, found);
};

/**
 * Reads the setup header of a 64-bit bzImage.
 *
 * @param bytes the file
 * @throws DecodeError if it is no bzImage, older than boot protocol 2.12, or not for 64 bits
 */
export const decodeSetupHeader = (bytes: Uint8Array): SetupHeader => {
  const header = SETUP_HEADER.decode(bytes);
  demand(header.bootFlag === BOOT_FLAG, 0x1fe, hex(BOOT_FLAG), hex(header.bootFlag, 4));
  demand(header.header === MAGIC, 0x202, `"${MAGIC}"`, JSON.stringify(header.header));
  demand(
    header.version >= OLDEST,
    0x206,
    `boot protocol ${printed(OLDEST)} or newer`,
    printed(header.version),
  );
  const is64 = (header.xloadflags & XLOADFLAG.KERNEL_64) !== 0;
  demand(is64, 0x236, "a 64-bit kernel (bit 0 of xloadflags)", hex(header.xloadflags, 4));
  return header;
};
