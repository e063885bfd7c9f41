import { DecodeError, type FieldsOf, hex, struct } from "../bytes.ts";
import { type Diagnosis, tableError as error, tableWarning as warning } from "./diagnosis.ts";
import { decodeSratEntryAt } from "./srat-decode.ts";
import { encodeSratEntry, SRAT_KINDS, SRAT_SUBTABLE, type SratEntry } from "./srat-subtables.ts";
import { ACPI_TABLE_HEADER, type AcpiTableMaker, acpiTable, byteSum } from "./table-header.ts";

/** What comes before the sub-tables of an SRAT. @source ACPI 6.5, 5.2.16 */
export const SRAT_HEADER = struct("SRAT", 48, {
  signature: [0, "ascii:4"],
  length: [4, "u32"], // bytes of the whole table
  revision: [8, "u8"], // up to 1: proximity domains have 8 bits
  checksum: [9, "u8"],
  oemId: [10, "ascii:6"],
  oemTableId: [16, "ascii:8"],
  oemRevision: [24, "u32"],
  creatorId: [28, "ascii:4"],
  creatorRevision: [32, "u32"],
  tableRevision: [36, "u32"], // always 1
  reserved: [40, "u64"],
});
export type SratHeader = FieldsOf<typeof SRAT_HEADER>;

export interface Srat {
  readonly header: SratHeader;
  readonly entries: readonly SratEntry[];
}

const OFFSET = { signature: 0, length: 4, checksum: 9, tableRevision: 36, entries: 48 } as const;
/** Type and length. */
const SUBTABLE_HEADER = 2;

const judgeHeader = (bytes: Uint8Array): Diagnosis | undefined => {
  if (bytes.length < SRAT_HEADER.size)
    return error(0, `${SRAT_HEADER.size} bytes or more`, `${bytes.length}`);
  const { signature, length } = SRAT_HEADER.decode(bytes);
  if (signature !== "SRAT") return error(OFFSET.signature, 'signature "SRAT"', JSON.stringify(signature));
  if (length < SRAT_HEADER.size)
    return error(OFFSET.length, `a length of ${SRAT_HEADER.size} or more`, `${length}`);
  if (length > bytes.length) {
    return error(OFFSET.length, `a length of at most ${bytes.length}, the bytes there are`, `${length}`);
  }
  return undefined;
};

const headerWarnings = (bytes: Uint8Array, header: SratHeader): Diagnosis[] => {
  const warnings: Diagnosis[] = [];
  const sum = byteSum(bytes.subarray(0, header.length));
  if (sum !== 0) {
    const right = (header.checksum + 256 - sum) & 0xff;
    warnings.push(warning(OFFSET.checksum, `checksum ${hex(right, 2)}`, hex(header.checksum, 2)));
  }
  if (header.tableRevision !== 1)
    warnings.push(warning(OFFSET.tableRevision, "1", `${header.tableRevision}`));
  const rest = bytes.length - header.length;
  if (rest > 0) warnings.push(warning(header.length, "the end of the table", `${rest} bytes more`));
  return warnings;
};

/** Whether the sub-table at `at` is whole and as long as its layout. */
const judgeSubtable = (bytes: Uint8Array, at: number, end: number): Diagnosis | undefined => {
  if (at + SUBTABLE_HEADER > end) return error(at, "a sub-table of 2 bytes or more", `${end - at} byte`);
  const length = bytes[at + 1]!;
  const kind = SRAT_KINDS[bytes[at]!];
  const least = kind === undefined ? SUBTABLE_HEADER : SRAT_SUBTABLE[kind].size;
  if (length < least) return error(at + 1, `a length of ${least} or more`, `${length}`);
  if (at + length > end)
    return error(at + 1, `a length of at most ${end - at}, to the table's end`, `${length}`);
  return undefined;
};

const entryWarning = (entry: SratEntry, at: number): Diagnosis | undefined => {
  if (entry.kind !== "memory" || entry.fields.base + entry.fields.rangeLength <= 2n ** 64n) return undefined;
  return warning(
    at + 8,
    "base + length of at most 2^64",
    `${hex(entry.fields.base)} + ${hex(entry.fields.rangeLength)}`,
  );
};

export interface SratReading {
  /** The table up to the first error; undefined if not even its header can be read. */
  readonly srat: Srat | undefined;
  /** In the order they were met: warnings, and the error that ended the reading, if one did. */
  readonly diagnoses: readonly Diagnosis[];
}

/**
 * Reads an SRAT and says what is wrong with it. Never throws: whatever the bytes, there is a reading.
 *
 * @param bytes the table from its first byte; bytes behind its length are a warning
 */
export const readSrat = (bytes: Uint8Array): SratReading => {
  const broken = judgeHeader(bytes);
  if (broken) return { srat: undefined, diagnoses: [broken] };
  const header = SRAT_HEADER.decode(bytes);
  const diagnoses = headerWarnings(bytes, header);
  const entries: SratEntry[] = [];
  for (let at: number = OFFSET.entries; at < header.length; at += bytes[at + 1]!) {
    const fault = judgeSubtable(bytes, at, header.length);
    if (fault) return { srat: { header, entries }, diagnoses: [...diagnoses, fault] };
    const entry = decodeSratEntryAt(bytes, at, bytes[at + 1]!);
    entries.push(entry);
    const odd = entryWarning(entry, at);
    if (odd) diagnoses.push(odd);
  }
  return { srat: { header, entries }, diagnoses };
};

/** Reads an SRAT without errors; warnings are let pass. @throws DecodeError at the first error */
export const decodeSrat = (bytes: Uint8Array): Srat => {
  const { srat, diagnoses } = readSrat(bytes);
  const fault = diagnoses.find(({ severity }) => severity === "error");
  if (srat !== undefined && fault === undefined) return srat;
  throw new DecodeError("SRAT", fault?.offset ?? 0, fault?.expected ?? "a table", fault?.found ?? "none");
};

const joined = (parts: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

/** The bytes of a table as it is: length and checksum are those of its header, right or wrong. */
export const encodeSrat = ({ header, entries }: Srat): Uint8Array =>
  joined([SRAT_HEADER.encode(header), ...entries.map(encodeSratEntry)]);

/** A new table of these entries, with the right length and checksum. */
export const sratTable = (
  entries: readonly SratEntry[],
  revision = 1,
  maker?: AcpiTableMaker,
): Uint8Array => {
  const start = new Uint8Array(SRAT_HEADER.size - ACPI_TABLE_HEADER.size);
  start[0] = 1;
  return acpiTable("SRAT", revision, joined([start, ...entries.map(encodeSratEntry)]), maker);
};
