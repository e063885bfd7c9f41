import { DecodeError, type FieldsOf, hex, struct } from "../bytes.ts";
import { crc32 } from "./crc32.ts";
import { GUID_BYTES, type Guid, guidBytes, guidText } from "./guid.ts";

/** The header that every EFI table starts with. @source UEFI 2.10, 4.2 */
export const EFI_TABLE_HEADER = struct("EFI table header", 24, {
  signature: [0, "u64"],
  revision: [8, "u32"],
  headerSize: [12, "u32"], // bytes that the CRC covers
  crc32: [16, "u32"], // of headerSize bytes, with this field zero
  reserved: [20, "u32"],
});
export type EfiTableHeader = FieldsOf<typeof EFI_TABLE_HEADER>;

/** "IBI SYST" as a little-endian word. */
export const EFI_SYSTEM_TABLE_SIGNATURE = 0x5453_5953_2049_4249n;
/** Revision 2.90, the first with unaccepted memory. */
export const EFI_2_90_REVISION = (2 << 16) | 90;

/**
 * The 64-bit EFI system table. Every handle and pointer is a guest-physical byte address before the kernel
 * maps the runtime services.
 *
 * @source UEFI 2.10, 4.3; Linux include/linux/efi.h
 */
export const EFI_SYSTEM_TABLE = struct("EFI system table", 120, {
  signature: [0, "u64"],
  revision: [8, "u32"],
  headerSize: [12, "u32"],
  crc32: [16, "u32"],
  reserved: [20, "u32"],
  firmwareVendor: [24, "u64"],
  firmwareRevision: [32, "u32"],
  pad1: [36, "u32"],
  conInHandle: [40, "u64"],
  conIn: [48, "u64"],
  conOutHandle: [56, "u64"],
  conOut: [64, "u64"],
  stdErrHandle: [72, "u64"],
  stdErr: [80, "u64"],
  runtimeServices: [88, "u64"],
  bootServices: [96, "u64"],
  tableCount: [104, "u32"], // entries of the configuration table
  pad2: [108, "u32"],
  tables: [112, "u64"], // address of the configuration table
});
export type EfiSystemTable = FieldsOf<typeof EFI_SYSTEM_TABLE>;

/** Puts the right CRC32 into an EFI table, over as many bytes as its header says and there are. */
export const sealEfiTable = (bytes: Uint8Array): void => {
  EFI_TABLE_HEADER.put(bytes, "crc32", 0);
  EFI_TABLE_HEADER.put(bytes, "crc32", crc32(bytes.subarray(0, EFI_TABLE_HEADER.get(bytes, "headerSize"))));
};

/**
 * A system table that tells where the configuration table lies; its other pointers are zero.
 *
 * @param tables guest-physical byte address of the configuration table
 * @param tableCount its entries
 */
export const efiSystemTable = (tables: bigint, tableCount: number, firmwareVendor = 0n): Uint8Array => {
  const bytes = new Uint8Array(EFI_SYSTEM_TABLE.size);
  EFI_SYSTEM_TABLE.put(bytes, "signature", EFI_SYSTEM_TABLE_SIGNATURE);
  EFI_SYSTEM_TABLE.put(bytes, "revision", EFI_2_90_REVISION);
  EFI_SYSTEM_TABLE.put(bytes, "headerSize", EFI_SYSTEM_TABLE.size);
  EFI_SYSTEM_TABLE.put(bytes, "firmwareVendor", firmwareVendor);
  EFI_SYSTEM_TABLE.put(bytes, "tableCount", tableCount);
  EFI_SYSTEM_TABLE.put(bytes, "tables", tables);
  sealEfiTable(bytes);
  return bytes;
};

/**
 * Reads a system table as Linux does: the signature counts, the CRC does not.
 *
 * @throws DecodeError if bytes are missing or the signature is another
 */
export const decodeEfiSystemTable = (bytes: Uint8Array): EfiSystemTable => {
  const table = EFI_SYSTEM_TABLE.decode(bytes);
  if (table.signature !== EFI_SYSTEM_TABLE_SIGNATURE) {
    throw new DecodeError("EFI system table", 0, hex(EFI_SYSTEM_TABLE_SIGNATURE), hex(table.signature));
  }
  return table;
};

/** One entry of the configuration table: what lies where. */
export interface EfiConfigurationEntry {
  readonly guid: Guid;
  /** Guest-physical byte address. */
  readonly table: bigint;
}

/** @source UEFI 2.10, 4.6 */
export const EFI_CONFIGURATION_ENTRY = struct("EFI configuration table entry", 24, {
  guid: [0, "bytes:16"],
  table: [GUID_BYTES, "u64"],
});

export const encodeConfigurationTable = (entries: readonly EfiConfigurationEntry[]): Uint8Array => {
  const bytes = new Uint8Array(entries.length * EFI_CONFIGURATION_ENTRY.size);
  for (const [i, { guid, table }] of entries.entries()) {
    bytes.set(
      EFI_CONFIGURATION_ENTRY.encode({ guid: guidBytes(guid), table }),
      i * EFI_CONFIGURATION_ENTRY.size,
    );
  }
  return bytes;
};

/** @throws DecodeError if the bytes hold fewer than `count` entries */
export const decodeConfigurationTable = (bytes: Uint8Array, count: number): EfiConfigurationEntry[] => {
  if (bytes.length < count * EFI_CONFIGURATION_ENTRY.size) {
    const found = `${Math.floor(bytes.length / EFI_CONFIGURATION_ENTRY.size)}`;
    throw new DecodeError("EFI configuration table", bytes.length, `${count} entries`, found);
  }
  return Array.from({ length: count }, (_, i) => {
    const at = i * EFI_CONFIGURATION_ENTRY.size;
    return { guid: guidText(bytes, at), table: EFI_CONFIGURATION_ENTRY.get(bytes, "table", at) };
  });
};
