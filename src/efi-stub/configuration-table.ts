import type { Guid } from "../abi/efi/guid.ts";
import {
  decodeConfigurationTable,
  EFI_CONFIGURATION_ENTRY,
  EFI_SYSTEM_TABLE,
  EFI_SYSTEM_TABLE_SIGNATURE,
} from "../abi/efi/system-table.ts";
import type { GuestBytes } from "./guest-bytes.ts";
import { type Halt, unbacked } from "./stub-fault.ts";

const GPA_LIMIT = 2n ** 52n;

/** A view of memory that a 64-bit pointer from firmware names. */
export const viewAt = (memory: GuestBytes, at: bigint, length: number): Uint8Array | undefined =>
  at < GPA_LIMIT ? memory.bytes(Number(at), length) : undefined;

/** Whether an EFI system table lies there: its signature alone says so. */
export const isSystemTable = (memory: GuestBytes, at: bigint): boolean => {
  const bytes = viewAt(memory, at, EFI_SYSTEM_TABLE.size);
  return bytes !== undefined && EFI_SYSTEM_TABLE.get(bytes, "signature") === EFI_SYSTEM_TABLE_SIGNATURE;
};

/**
 * The pointer of the first configuration table of this GUID.
 *
 * @param tables address of the configuration table if it is another than the system table says (after kexec)
 * @returns undefined if there is none, or it is null
 */
export const findConfigurationTable = (
  memory: GuestBytes,
  systemTable: bigint,
  guid: Guid,
  tables?: bigint,
): bigint | undefined | Halt => {
  const system = viewAt(memory, systemTable, EFI_SYSTEM_TABLE.size);
  if (system === undefined) return unbacked("EFI system table", systemTable, EFI_SYSTEM_TABLE.size);
  const { tableCount, tables: own } = EFI_SYSTEM_TABLE.decode(system);
  if (tableCount === 0) return undefined;
  const length = tableCount * EFI_CONFIGURATION_ENTRY.size;
  const bytes = viewAt(memory, tables ?? own, length);
  if (bytes === undefined) return unbacked("EFI configuration table", tables ?? own, length);
  const entry = decodeConfigurationTable(bytes, tableCount).find((candidate) => candidate.guid === guid);
  return entry === undefined || entry.table === 0n ? undefined : entry.table;
};
