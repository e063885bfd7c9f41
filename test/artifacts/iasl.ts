import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listTable } from "../../src/abi/acpi/table-listing.ts";
import { listedField } from "../../src/artifacts/acpi/iasl-listing.ts";

/** Whether ACPICA's disassembler is installed (Debian: acpica-tools). */
export const hasIasl = spawnSync("iasl", ["-v"]).status === 0;

/** The listing that `iasl -d` makes of a data table. */
export const iaslListing = (table: Uint8Array): string => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-iasl-"));
  try {
    writeFileSync(join(folder, "table.dat"), table);
    spawnSync("iasl", ["-d", "table.dat"], { cwd: folder });
    return readFileSync(join(folder, "table.dsl"), "latin1");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const BITS = /^ {4,}(\S.*?) : ([0-9A-Fa-f]+)\s*$/;

/** Every field of a listing as "offset bytes label: value"; bits have 0 bytes and the offset of their field. */
export const fieldsOfListing = (listing: string): string[] => {
  const fields: string[] = [];
  let offset = 0;
  for (const line of listing.split("\n")) {
    if (line.startsWith("Raw Table Data")) break;
    const field = listedField(line);
    const bits = field === undefined ? BITS.exec(line) : null;
    if (field !== undefined) {
      offset = field.offset;
      // Names of values, and what iasl thinks of a sum, are no part of the field.
      const value = field.value.replace(/\s*\/\*.*$/, "").replace(/\s*\[.*\]\s*$/, "");
      fields.push(`${offset} ${field.size} ${field.label}: ${value}`);
    } else if (bits !== null) fields.push(`${offset} 0 ${bits[1]}: ${bits[2]}`);
  }
  return fields;
};

/** The same of our own reading. */
export const ownFields = (table: Uint8Array): string[] =>
  (listTable(table)?.rows ?? []).map(
    ({ offset, bytes, label, value }) => `${offset} ${bytes} ${label}: ${value}`,
  );

/** Tables of an acpidump text, bytes by their signature: read plainly, without our reader. */
export const dumpedTables = (text: string): (readonly [signature: string, bytes: Uint8Array])[] =>
  text
    .split(/^(?=.*\b[A-Z]{4} @ 0x)/m)
    .slice(1)
    .map((part) => {
      const [heading = "", ...lines] = part.split("\n");
      const signature = /([A-Z]{4}) @/.exec(heading)?.[1] ?? "";
      const digits = lines.flatMap((line) => {
        const found = /^\s*[0-9a-f]{4,}: ((?:[0-9a-f]{2} ){1,16})/i.exec(line);
        return found === null ? [] : found[1]!.trim().split(" ");
      });
      return [signature, Uint8Array.from(digits, (byte) => Number.parseInt(byte, 16))] as const;
    });
