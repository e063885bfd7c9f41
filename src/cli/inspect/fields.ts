import type { TableListing } from "../../abi/acpi/table-listing.ts";
import type { TableRow } from "../../abi/acpi/table-rows.ts";
import type { FactOf } from "../../artifacts/facts.ts";
import type { Survey } from "../../artifacts/map/survey.ts";
import { printable } from "../../scenario/render/paint.ts";

const LABEL_COLUMN = 28;
const BITS_COLUMN = 44;

/** A row as iasl prints it: offset twice, length, name, value, meaning. */
const rowText = ({ offset, bytes, label, value, meaning }: TableRow): string => {
  if (bytes === 0) return `${label.padStart(BITS_COLUMN)} : ${value}`;
  const at = offset.toString(16).toUpperCase().padStart(3, "0");
  const place = `[${at}h ${`${offset}`.padStart(4, "0")} ${`${bytes}`.padStart(3)}]`;
  const said = meaning === undefined ? "" : ` [${meaning}]`;
  return `${place} ${label.padStart(LABEL_COLUMN)} : ${value}${said}`;
};

const STARTS = /^(?:Subtable|Structure) Type$|^Table Revision$|^Localities$/;

const tableLines = ({ rows, title }: TableListing, { at }: FactOf<"acpi-table">): string[] => {
  const place = at.line ?? at.offset ?? 0;
  const head = `${printable(at.source)}${at.line === undefined ? "@" : ":"}${place}  ${title ?? "a table without a layout here"}`;
  return [
    head,
    "",
    ...rows.flatMap((row) => (STARTS.test(row.label) ? ["", rowText(row)] : [rowText(row)])),
    "",
  ];
};

/** Every field of every ACPI table that was read, as iasl lists them; undefined if there was none. */
export const renderFields = ({ of }: Survey): string | undefined => {
  const tables = of("acpi-table");
  if (tables.length === 0) return undefined;
  return `${tables.flatMap((fact) => tableLines(fact.listing, fact)).join("\n")}\n`;
};
