import { assert } from "../../assert.ts";
import { DecodeError, type FieldsOf, struct } from "../bytes.ts";
import { BOOT_PARAMS } from "./boot-params.ts";
import { type BytesAt, SETUP_DATA_TYPE, setupDataNodes } from "./setup-data.ts";

/** @source Linux arch/x86/include/asm/e820/types.h */
export const E820_TYPE = {
  RAM: 1,
  RESERVED: 2,
  ACPI: 3,
  NVS: 4,
  UNUSABLE: 5,
  PMEM: 7,
  PRAM: 12,
  SOFT_RESERVED: 0xefff_ffff,
} as const;

/** One entry of the memory map that the kernel starts from; packed, 20 bytes. */
export const E820_ENTRY = struct("e820 entry", 20, {
  addr: [0, "u64"], // guest-physical byte address
  size: [8, "u64"], // bytes
  type: [16, "u32"],
});
export type E820Entry = FieldsOf<typeof E820_ENTRY>;

/** Where the table lies in the boot parameters. */
export const E820_TABLE_OFFSET = 0x2d0;
/** Entries that fit into the boot parameters; more go into an E820_EXT node. */
export const E820_MAX_ENTRIES = 128;

/** Byte of the boot parameters, or of an E820_EXT node's data when `table` is 0, at which entry n starts. */
export const e820EntryOffset = (n: number, table: number = E820_TABLE_OFFSET): number =>
  table + n * E820_ENTRY.size;

/** The entries in an E820_EXT node's data. An incomplete one at the end does not count. */
export const decodeE820Ext = (data: Uint8Array): E820Entry[] =>
  Array.from({ length: Math.floor(data.length / E820_ENTRY.size) }, (_, n) =>
    E820_ENTRY.decode(data, e820EntryOffset(n, 0)),
  );

/** @throws DecodeError if the bytes are no boot parameters, or count more entries than the table holds */
export const decodeE820Table = (bootParams: Uint8Array): E820Entry[] => {
  const count = BOOT_PARAMS.get(bootParams, "e820Entries");
  if (count > E820_MAX_ENTRIES) {
    const offset = BOOT_PARAMS.layout.e820Entries[0];
    throw new DecodeError("e820 table", offset, `at most ${E820_MAX_ENTRIES} entries`, `${count}`);
  }
  return Array.from({ length: count }, (_, n) => E820_ENTRY.decode(bootParams, e820EntryOffset(n)));
};

/**
 * All entries that the kernel sees: the table of the boot parameters, then those of each E820_EXT node.
 *
 * @throws DecodeError if either is malformed or points outside guest memory
 */
export const e820Entries = (bootParams: Uint8Array, bytesAt: BytesAt): E820Entry[] => {
  const nodes = setupDataNodes(bytesAt, BOOT_PARAMS.get(bootParams, "setupData"));
  const extensions = nodes.filter(({ type }) => type === SETUP_DATA_TYPE.E820_EXT);
  return [...decodeE820Table(bootParams), ...extensions.flatMap(({ data }) => decodeE820Ext(data))];
};

/** Writes the table and its count; at most 128 entries. */
export const putE820Table = (bootParams: Uint8Array, entries: readonly E820Entry[]): void => {
  assert(entries.length <= E820_MAX_ENTRIES, "the table holds 128 entries");
  BOOT_PARAMS.put(bootParams, "e820Entries", entries.length);
  for (const [n, entry] of entries.entries()) bootParams.set(E820_ENTRY.encode(entry), e820EntryOffset(n));
};
