import { tableWarning } from "./diagnosis.ts";
import type { ListedPart, TableBody } from "./subtable-listing.ts";
import { ACPI_TABLE_HEADER } from "./table-header.ts";
import { listRows, rawRows } from "./table-rows.ts";

const pointerTable = (title: string, kind: "u32" | "u64"): TableBody => {
  const width = kind === "u32" ? 4 : 8;
  const start = ACPI_TABLE_HEADER.size;
  const list = (bytes: Uint8Array): ListedPart => {
    const count = Math.floor((bytes.length - start) / width);
    const end = start + count * width;
    const pointers = listRows("", kind, bytes, start, count).map((row, i) => ({
      ...row,
      label: `ACPI Table Address ${`${i}`.padStart(3)}`,
    }));
    const more = bytes.length - end;
    const extra = more > 0 ? [tableWarning(end, `pointers of ${width} bytes`, `${more} bytes`)] : [];
    return { rows: [...pointers, ...rawRows("Data", bytes, end, bytes.length)], diagnoses: extra };
  };
  return { title, fixed: { size: start, rows: () => [] }, type: [0, 1], length: [0, 1], kinds: [], list };
};

/** Pointers to all other tables, under iasl's names. @source ACPI 6.5, 5.2.7 and 5.2.8 */
export const XSDT_LISTING = pointerTable("Extended System Description Table", "u64");
export const RSDT_LISTING = pointerTable("Root System Description Table", "u32");
