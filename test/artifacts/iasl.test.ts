import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, it } from "vitest";
import { sratTable } from "../../src/abi/acpi/srat.ts";
import { decodeSratEntry } from "../../src/abi/acpi/srat-subtables.ts";
import { acpiTable } from "../../src/abi/acpi/table-header.ts";
import { sharedFiles } from "../shared-data.ts";
import { dumpedTables, fieldsOfListing, hasIasl, iaslListing, ownFields } from "./iasl.ts";

/** Tables of which every field is compared. */
const TABLES = sharedFiles("acpi", /(?:SRAT|SLIT|HMAT|CEDT|MSCT|APIC).*\.dat$/);

/** Number of fields, and a digest of them all, as they were when iasl agreed: for machines without iasl. */
type Golden = Readonly<Record<string, readonly [fields: number, digest: string]>>;
const GOLDEN: Golden = JSON.parse(readFileSync(new URL("./iasl-golden.json", import.meta.url), "utf8"));

const bytesOf = (path: string): Uint8Array => Uint8Array.from(readFileSync(path));
const digest = (fields: readonly string[]): string =>
  createHash("sha256").update(fields.join("\n")).digest("hex").slice(0, 16);

/** Tables with parts that iasl of 2020 does not know: CXL's, and SRAT sub-tables 6 and 7. It lists what it knows. */
const NEWER = ["qemu-x86-q35-CEDT.cxl.dat", "fwts-srat-0001.SRAT.dat"];

describe("every field that iasl lists", () => {
  it.skipIf(TABLES.length === 0 || !hasIasl)(
    "is read alike in each collected table (needs the shared tables and iasl)",
    () => {
      for (const path of TABLES) {
        const listed = fieldsOfListing(iaslListing(bytesOf(path)));
        // Bytes that belong to no field are ours alone: iasl leaves them to its raw data.
        const own = ownFields(bytesOf(path)).filter((field) => !/^\d+ \d+ Data: /.test(field));
        const known = NEWER.includes(basename(path)) ? own.filter((field) => listed.includes(field)) : own;
        expect(known, path).toEqual(listed);
      }
    },
    120_000,
  );

  it.skipIf(TABLES.length === 0)("is what it was when iasl agreed (needs the shared tables)", () => {
    const own = TABLES.map((path) => {
      const fields = ownFields(bytesOf(path));
      return [basename(path), [fields.length, digest(fields)]];
    });
    expect(Object.fromEntries(own)).toEqual(GOLDEN);
  });
});

/** Tables in the texts of acpidump, of which iasl reads the bytes. */
const DUMPED = sharedFiles("acpi", /\.(?:log|out)$/).flatMap((path) =>
  dumpedTables(readFileSync(path, "latin1"))
    .filter(([signature]) => /^(?:SRAT|SLIT|HMAT|CEDT|MSCT|APIC)$/.test(signature))
    .map(([signature, bytes]) => [`${basename(path)} ${signature}`, bytes] as const),
);

describe("tables of acpidump texts", () => {
  it.skipIf(DUMPED.length === 0 || !hasIasl)(
    "every field that iasl lists is read alike (needs the shared tables and iasl)",
    () => {
      for (const [name, bytes] of DUMPED) {
        const listed = fieldsOfListing(iaslListing(bytes));
        const own = ownFields(bytes);
        expect(
          listed.filter((field) => !own.includes(field)),
          name,
        ).toEqual([]);
        expect(own.length, name).toBeGreaterThanOrEqual(listed.length);
      }
    },
    120_000,
  );
});

/** A sub-table of this type and these bytes behind its two-byte head. */
const subtable = (type: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i === 0 ? type : i === 1 ? length : (i * 7 + type) & 0xff));

describe("tables made for the purpose", () => {
  it.skipIf(!hasIasl)("each SRAT sub-table is listed as iasl lists it (needs iasl)", () => {
    const entries = [
      [0, 16],
      [1, 40],
      [2, 24],
      [3, 18],
      [4, 12],
      [5, 32],
    ].map(([type, length]) => decodeSratEntry(subtable(type!, length!)));
    const table = sratTable(entries, 3);
    expect(ownFields(table)).toEqual(fieldsOfListing(iaslListing(table)));
  });

  it.skipIf(!hasIasl)("each MADT structure is listed as iasl lists it, however long (needs iasl)", () => {
    for (const [type, length] of [
      [0, 8],
      [1, 12],
      [2, 10],
      [3, 8],
      [4, 6],
      [5, 12],
      [9, 16],
      [10, 12],
      [11, 76],
      [11, 80],
      [12, 24],
      [13, 24],
      [14, 16],
      [15, 20],
    ] as const) {
      const body = Uint8Array.from([0, 0, 0xe0, 0xfe, 1, 0, 0, 0, ...subtable(type, length)]);
      const table = acpiTable("APIC", 5, body);
      expect(ownFields(table), `${type} of ${length}`).toEqual(fieldsOfListing(iaslListing(table)));
    }
  });

  it.skipIf(!hasIasl)("pointers are listed as iasl lists them (needs iasl)", () => {
    const body = Uint8Array.from({ length: 24 }, (_, i) => i * 5);
    for (const table of [acpiTable("XSDT", 1, body), acpiTable("RSDT", 1, body)])
      expect(ownFields(table)).toEqual(fieldsOfListing(iaslListing(table)));
  });

  it.skipIf(!hasIasl)("a SLIT of 18 localities is listed as iasl lists it (needs iasl)", () => {
    const count = 18;
    const body = new Uint8Array(8 + count * count);
    body[0] = count;
    for (let i = 0; i < count * count; i++) body[8 + i] = i % (count + 1) === 0 ? 10 : 20 + (i % 7);
    const table = acpiTable("SLIT", 1, body);
    const listing = iaslListing(table).replace(/ \\\s*\n\s*/g, " ");
    expect(ownFields(table)).toEqual(fieldsOfListing(listing));
  });
});
