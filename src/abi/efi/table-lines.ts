import { hex } from "../bytes.ts";
import { EFI_GUID, type Guid } from "./guid.ts";
import type { EfiConfigurationEntry } from "./system-table.ts";

/** The names under which the kernel lists configuration tables. A table without a name is not listed. */
const NAMES: { readonly [guid: Guid]: string } = {
  [EFI_GUID.ACPI_10_TABLE]: "ACPI",
  [EFI_GUID.ACPI_20_TABLE]: "ACPI 2.0",
  [EFI_GUID.LINUX_UNACCEPTED_MEM_TABLE]: "Unaccepted",
};

/**
 * The line in which the kernel lists the configuration tables, in the order of the table, each item with a
 * space behind it: "efi: ACPI 2.0=0x7f37d014 Unaccepted=0x7f37eb18 ".
 *
 * @param unusable tells of a table that the kernel could not map; it is listed in brackets
 * @source Linux drivers/firmware/efi/efi.c (match_config_table)
 */
export const efiTablesLine = (
  entries: readonly EfiConfigurationEntry[],
  unusable: (entry: EfiConfigurationEntry) => boolean = () => false,
): string => {
  const items = entries.flatMap((entry) => {
    const name = NAMES[entry.guid];
    if (name === undefined) return [];
    const item = `${name}=${hex(entry.table)}`;
    return [unusable(entry) ? `(${item} unusable) ` : `${item} `];
  });
  return `efi: ${items.join("")}`;
};
