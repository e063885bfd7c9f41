import { DecodeError } from "../bytes.ts";
import { tableError, tableWarning } from "./diagnosis.ts";
import type { ListedPart, TableBody } from "./subtable-listing.ts";
import { ACPI_TABLE_HEADER } from "./table-header.ts";
import { byteDigits, listRows, rawRows, type TableRow } from "./table-rows.ts";

const COUNT_AT = ACPI_TABLE_HEADER.size;
const MATRIX_AT = COUNT_AT + 8;
/** A domain's distance to itself. */
export const SLIT_LOCAL = 10;

/** How many localities the table says it has, and how many rows of its matrix are whole. */
const measure = (bytes: Uint8Array): { readonly localities: bigint; readonly rows: number } => {
  let localities = 0n;
  for (let i = 7; i >= 0; i--) localities = localities * 256n + BigInt(bytes[COUNT_AT + i]!);
  const there = bytes.length - MATRIX_AT;
  const wide = localities > BigInt(there) ? there + 1 : Number(localities);
  return { localities, rows: wide === 0 ? 0 : Math.min(wide, Math.floor(there / wide)) };
};

const list = (bytes: Uint8Array): ListedPart => {
  if (bytes.length < MATRIX_AT) {
    return { rows: [], diagnoses: [tableError(4, `a length of ${MATRIX_AT} or more`, `${bytes.length}`)] };
  }
  const { localities, rows: whole } = measure(bytes);
  const rows: TableRow[] = listRows("Localities", "u64", bytes, COUNT_AT, 1);
  const width = whole === 0 ? 0 : Number(localities);
  for (let row = 0; row < whole; row++) {
    const offset = MATRIX_AT + row * width;
    const value = byteDigits(bytes.subarray(offset, offset + width));
    rows.push({ offset, bytes: width, label: `Locality ${`${row}`.padStart(3)}`, value });
  }
  const end = MATRIX_AT + whole * width;
  rows.push(...rawRows("Data", bytes, end, bytes.length));
  if (BigInt(whole) < localities) {
    const expected = `${localities} rows of as many distances`;
    return { rows, diagnoses: [tableError(COUNT_AT, expected, `${bytes.length - MATRIX_AT} bytes`)] };
  }
  const more = bytes.length - end;
  const extra = more > 0 ? [tableWarning(end, "the end of the matrix", `${more} bytes more`)] : [];
  return { rows, diagnoses: extra };
};

/** The parts of an SLIT under iasl's names; one row a locality. @source ACPI 6.5, 5.2.17 */
export const SLIT_LISTING: TableBody = {
  title: "System Locality Information Table",
  fixed: { size: MATRIX_AT, rows: () => [] },
  type: [0, 1],
  length: [0, 1],
  kinds: [],
  list,
};

/**
 * The distances of an SLIT, row by row: `[from][to]`.
 *
 * @throws DecodeError if the matrix is not all there
 */
export const decodeSlit = (bytes: Uint8Array): number[][] => {
  if (bytes.length < MATRIX_AT) throw new DecodeError("SLIT", 4, `${MATRIX_AT} bytes`, `${bytes.length}`);
  const { localities, rows } = measure(bytes);
  if (BigInt(rows) < localities)
    throw new DecodeError("SLIT", COUNT_AT, "a whole matrix", `${localities} localities`);
  return Array.from({ length: rows }, (_, row) =>
    Array.from(bytes.subarray(MATRIX_AT + row * rows, MATRIX_AT + (row + 1) * rows)),
  );
};
