import { CEDT_LISTING } from "./cedt.ts";
import { type Diagnosis, tableError, tableWarning } from "./diagnosis.ts";
import { HMAT_LISTING } from "./hmat.ts";
import { MADT_LISTING } from "./madt.ts";
import { MSCT_LISTING } from "./msct.ts";
import { RSDT_LISTING, XSDT_LISTING } from "./pointer-tables.ts";
import { SLIT_LISTING } from "./slit.ts";
import { SRAT_LISTING } from "./srat-listing.ts";
import { listSubtables, type TableBody } from "./subtable-listing.ts";
import { ACPI_TABLE_HEADER, type AcpiTableHeader, byteSum } from "./table-header.ts";
import { rawRows, rowReader, type TableRow } from "./table-rows.ts";

/** Everything that lies in a table, field by field, and what is wrong with it. */
export interface TableListing {
  readonly header: AcpiTableHeader;
  /** What the signature stands for; undefined for a table without a layout here. */
  readonly title: string | undefined;
  readonly rows: readonly TableRow[];
  readonly diagnoses: readonly Diagnosis[];
}

const HEADER_ROWS = rowReader(ACPI_TABLE_HEADER, {
  signature: "Signature",
  length: "Table Length",
  revision: "Revision",
  checksum: "Checksum",
  oemId: "Oem ID",
  oemTableId: "Oem Table ID",
  oemRevision: "Oem Revision",
  creatorId: "Asl Compiler ID",
  creatorRevision: "Asl Compiler Revision",
});

/** The tables with a layout, by signature. */
const BODIES: Readonly<Record<string, TableBody>> = {
  APIC: MADT_LISTING,
  CEDT: CEDT_LISTING,
  HMAT: HMAT_LISTING,
  MSCT: MSCT_LISTING,
  RSDT: RSDT_LISTING,
  SLIT: SLIT_LISTING,
  SRAT: SRAT_LISTING,
  XSDT: XSDT_LISTING,
};
export const LISTED_SIGNATURES: readonly string[] = Object.keys(BODIES);

const hex2 = (n: number): string => `0x${n.toString(16).padStart(2, "0")}`;

const headerDiagnoses = (bytes: Uint8Array, header: AcpiTableHeader, end: number): Diagnosis[] => {
  const found: Diagnosis[] = [];
  if (header.length > bytes.length) {
    found.push(tableError(4, `a length of at most ${bytes.length}, the bytes there are`, `${header.length}`));
  } else {
    const sum = byteSum(bytes.subarray(0, end));
    const right = (header.checksum + 256 - sum) & 0xff;
    if (sum !== 0) found.push(tableWarning(9, `checksum ${hex2(right)}`, hex2(header.checksum)));
  }
  const rest = bytes.length - header.length;
  if (rest > 0) found.push(tableWarning(header.length, "the end of the table", `${rest} bytes more`));
  return found;
};

/**
 * Lists a table field by field. Never throws: a damaged table yields what could be read and where it went wrong.
 *
 * @param bytes the table from its first byte
 * @returns undefined if there are fewer bytes than a header, or a length below one
 */
export const listTable = (bytes: Uint8Array): TableListing | undefined => {
  if (bytes.length < ACPI_TABLE_HEADER.size) return undefined;
  const header = ACPI_TABLE_HEADER.decode(bytes);
  if (header.length < ACPI_TABLE_HEADER.size) return undefined;
  const end = Math.min(header.length, bytes.length);
  const rows = HEADER_ROWS(bytes, 0);
  const diagnoses = headerDiagnoses(bytes, header, end);
  const body = Object.hasOwn(BODIES, header.signature) ? BODIES[header.signature] : undefined;
  if (body === undefined) {
    rows.push(...rawRows("Table Data", bytes, ACPI_TABLE_HEADER.size, end));
    return { header, title: undefined, rows, diagnoses };
  }
  const whole = bytes.subarray(0, end);
  const rest = body.list === undefined ? listSubtables(whole, body) : body.list(whole);
  for (const row of rest.rows) rows.push(row);
  return { header, title: body.title, rows, diagnoses: [...diagnoses, ...rest.diagnoses] };
};
