import { hex } from "../bytes.ts";
import { ACPI_TABLE_HEADER, byteSum } from "./table-header.ts";

/** Line of the source file that complains. */
const SOURCE_LINE = 58;

/**
 * What the kernel says of a table whose bytes do not sum to 0. It goes on with the table as it is: nothing else comes of a
 * wrong checksum. The number that "should be" is not the right checksum but how far the one found is off, below zero as a
 * 32-bit word: that is how the kernel subtracts.
 *
 * @param table whole, from its header; one that is cut short is not judged
 * @param acpica release of ACPICA in the kernel, as it prints it
 * @returns undefined for a right checksum
 * @source Linux drivers/acpi/acpica/utcksum.c (acpi_ut_verify_checksum), tbxface.c (acpi_reallocate_root_table);
 *   a guest's "[APIC] - 0x59, should be 0xFFFFFFE3 (20250404/...)" on xen-devel, 2025
 */
export const checksumLine = (table: Uint8Array, acpica: string): string | undefined => {
  if (table.length < ACPI_TABLE_HEADER.size) return undefined;
  const { signature, length, checksum } = ACPI_TABLE_HEADER.decode(table);
  if (length < ACPI_TABLE_HEADER.size || length > table.length) return undefined;
  const sum = byteSum(table.subarray(0, length));
  if (sum === 0) return undefined;
  const off = checksum - ((checksum - sum) & 0xff);
  const shown = (n: number): string =>
    hex(n >>> 0, 2)
      .toUpperCase()
      .replace("0X", "0x");
  return (
    `ACPI BIOS Warning (bug): Incorrect checksum in table [${signature}] - ${shown(checksum)}, ` +
    `should be ${shown(off)} (${acpica}/utcksum-${SOURCE_LINE})`
  );
};
