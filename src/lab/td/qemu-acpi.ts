import { RSDP, RSDP_SIGNATURE } from "../../abi/acpi/rsdp.ts";
import { ACPI_TABLE_HEADER, byteSum } from "../../abi/acpi/table-header.ts";
import type { GuestBytes } from "../../efi-stub/guest-bytes.ts";
import { LabError } from "../lab-error.ts";

/** Where a BIOS leaves the root pointer, on a multiple of 16. @source ACPI 6.5, 5.2.5.1 */
const BIOS_AREA = { start: 0xe0000, end: 0x100000, step: 16 } as const;
/** Bytes of an ACPI 1.0 root pointer, which its first checksum covers. */
const FIRST_PART = 20;

const findRsdp = (memory: GuestBytes): Uint8Array | undefined => {
  for (let at = BIOS_AREA.start; at < BIOS_AREA.end; at += BIOS_AREA.step) {
    const first = memory.bytes(at, FIRST_PART);
    if (first === undefined) return undefined;
    if (String.fromCharCode(...first.subarray(0, 8)) !== RSDP_SIGNATURE || byteSum(first) !== 0) continue;
    return memory.bytes(at, RSDP.size);
  }
  return undefined;
};

/**
 * Addresses of the ACPI tables that QEMU and its BIOS left in a machine's memory, those of the root table.
 *
 * @throws LabError if there is no root pointer, or it points to no table
 */
export const acpiTablesOf = (memory: GuestBytes): number[] => {
  const root = findRsdp(memory);
  if (root === undefined)
    throw new LabError("QEMU's BIOS left no ACPI root pointer below 1 MiB; is this a q35 machine?");
  const wide = RSDP.get(root, "revision") >= 2;
  const at = wide ? Number(RSDP.get(root, "xsdtAddress")) : RSDP.get(root, "rsdtAddress");
  const header = memory.bytes(at, ACPI_TABLE_HEADER.size);
  const length = header === undefined ? 0 : ACPI_TABLE_HEADER.get(header, "length");
  const table = length < ACPI_TABLE_HEADER.size ? undefined : memory.bytes(at, length);
  if (table === undefined)
    throw new LabError(`no ACPI root table lies at 0x${at.toString(16)}, where the root pointer says`);
  const size = wide ? 8 : 4;
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const addresses: number[] = [];
  for (let entry = ACPI_TABLE_HEADER.size; entry + size <= length; entry += size)
    addresses.push(wide ? Number(view.getBigUint64(entry, true)) : view.getUint32(entry, true));
  return addresses;
};
