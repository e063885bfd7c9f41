import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ownData, sharedFiles } from "../../../test/shared-data.ts";
import { DecodeError } from "../bytes.ts";
import { decodeSrat, encodeSrat, readSrat, type Srat, sratTable } from "./srat.ts";
import { decodeSratEntryAt } from "./srat-decode.ts";
import { sratMemoryLine } from "./srat-lines.ts";
import {
  decodeSratEntry,
  SRAT_KINDS,
  SRAT_MEMORY,
  SRAT_SUBTABLE,
  type SratEntry,
  sratMemory,
  sratProcessor,
} from "./srat-subtables.ts";

const bytesOf = (path: string): Uint8Array => Uint8Array.from(readFileSync(path));
const RECORDED = ownData("acpi", "rec-pcdimm-2node.SRAT.dat");

/** A table of 40-byte memory entries with a valid header, to break. */
const sound = (): Uint8Array =>
  sratTable([
    sratMemory(0, 0n, 0x8000_0000n, SRAT_MEMORY.ENABLED),
    sratMemory(1, 0x1_0000_0000n, 0x1000n, 3),
  ]);

it("the quick reading of a sub-table agrees with its layout, whatever the bytes", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SRAT_KINDS.keys()),
      fc.uint8Array({ minLength: 60, maxLength: 60 }),
      fc.nat(20),
      (type, bytes, more) => {
        const length = SRAT_SUBTABLE[SRAT_KINDS[type]!].size + Math.min(more, 8);
        const table = Uint8Array.from([7, 7, ...bytes]);
        table[2] = type;
        expect(decodeSratEntryAt(table, 2, length)).toEqual(decodeSratEntry(table.slice(2, 2 + length)));
      },
    ),
  );
});

const first = (bytes: Uint8Array) => readSrat(bytes).diagnoses[0];

describe("real tables", () => {
  it("a recorded table is read, and written back byte for byte", () => {
    const bytes = bytesOf(RECORDED);
    const srat = decodeSrat(bytes);
    expect(
      srat.entries.map((entry) =>
        entry.kind === "memory" ? [entry.fields.base, entry.fields.flags] : entry.kind,
      ),
    ).toEqual(["cpu", "cpu", [0n, 1], [0x10_0000n, 1], [0x4000_0000n, 1], [0n, 0], [0x1_0000_0000n, 3]]);
    expect(readSrat(bytes).diagnoses).toEqual([]);
    expect(encodeSrat(srat)).toEqual(bytes);
  });

  it("the recorded table is built again from its entries", () => {
    const entries = [
      sratProcessor(0, 0),
      sratProcessor(1, 1),
      sratMemory(0, 0n, 0xa_0000n, SRAT_MEMORY.ENABLED),
      sratMemory(0, 0x10_0000n, 0x3ff0_0000n, SRAT_MEMORY.ENABLED),
      sratMemory(1, 0x4000_0000n, 0x4000_0000n, SRAT_MEMORY.ENABLED),
      sratMemory(0, 0n, 0n, 0),
      sratMemory(1, 0x1_0000_0000n, 0x4_8000_0000n, SRAT_MEMORY.ENABLED | SRAT_MEMORY.HOT_PLUGGABLE),
    ];
    expect(sratTable(entries)).toEqual(bytesOf(RECORDED));
  });

  const tables = sharedFiles("acpi", /SRAT.*\.dat$/);
  it.skipIf(tables.length === 0)(
    "each collected table is read without a word and written back (needs the shared tables)",
    () => {
      const kinds = new Set<string>();
      for (const path of tables) {
        const bytes = bytesOf(path);
        const { srat, diagnoses } = readSrat(bytes);
        expect(diagnoses, path).toEqual([]);
        expect(encodeSrat(srat!), path).toEqual(bytes);
        for (const { kind } of srat!.entries) kinds.add(kind);
      }
      expect(tables.length).toBeGreaterThan(25);
      expect([...kinds].sort()).toEqual(["cpu", "genericPort", "gicc", "memory", "rintc", "x2apic"]);
    },
  );
});

describe("diagnosis", () => {
  const broken = (change: (bytes: Uint8Array) => void, size?: number): Uint8Array => {
    const bytes = sound().slice(0, size);
    change(bytes);
    return bytes;
  };
  const nothing = (): void => {};

  it.each([
    ["a file shorter than the header", broken(nothing, 40), 0, "48 bytes or more", "40"],
    ["another signature", broken((b) => b.set([0x58])), 0, 'signature "SRAT"', '"XRAT"'],
    ["a length below the header", broken((b) => b.set([47], 4)), 4, "a length of 48 or more", "47"],
    [
      "a length beyond the file",
      broken(nothing, 127),
      4,
      "a length of at most 127, the bytes there are",
      "128",
    ],
  ])("%s is an error and leaves no table", (_, bytes, offset, expected, found) => {
    expect(readSrat(bytes)).toEqual({
      srat: undefined,
      diagnoses: [{ severity: "error", offset, expected, found }],
    });
    expect(() => decodeSrat(bytes)).toThrow(DecodeError);
  });

  it.each([
    ["a sub-table of length 0", 0, "a length of 40 or more"],
    ["a memory entry shorter than 40 bytes", 39, "a length of 40 or more"],
    ["a sub-table that runs over the end", 41, "a length of at most 40, to the table's end"],
  ])("%s is an error at its length byte, and the entries before it are kept", (_, length, expected) => {
    const bytes = broken((b) => b.set([length], 89));
    const { srat, diagnoses } = readSrat(bytes);
    expect(srat?.entries).toHaveLength(1);
    expect(diagnoses.at(-1)).toEqual({ severity: "error", offset: 89, expected, found: `${length}` });
    expect(() => decodeSrat(bytes)).toThrow("SRAT, byte 89");
  });

  it("an unknown sub-table of length 0 or 1 is an error, for it would not end or overlap itself", () => {
    for (const length of [0, 1]) {
      const bytes = broken((b) => b.set([200, length], 88));
      expect(readSrat(bytes).diagnoses.at(-1)).toMatchObject({
        offset: 89,
        expected: "a length of 2 or more",
      });
    }
  });

  it("a single byte where a sub-table should start is an error", () => {
    const bytes = broken((b) => b.set([89], 4));
    expect(readSrat(bytes).diagnoses.at(-1)).toMatchObject({
      severity: "error",
      offset: 88,
      found: "1 byte",
    });
  });

  it("a wrong checksum is a warning that names the right one, and the table is read", () => {
    const bytes = sound();
    const right = bytes[9]!;
    bytes[9] = (right + 1) & 0xff;
    expect(first(bytes)).toEqual({
      severity: "warning",
      offset: 9,
      expected: `checksum 0x${right.toString(16).padStart(2, "0")}`,
      found: `0x${((right + 1) & 0xff).toString(16).padStart(2, "0")}`,
    });
    expect(encodeSrat(decodeSrat(bytes))).toEqual(bytes);
  });

  it("bytes behind the table, another table revision and a range past 2^64 are warnings", () => {
    const entry = sratMemory(0, 2n ** 64n - 1n, 2n, 3);
    const bytes = Uint8Array.from([...sratTable([entry]), 0, 0]);
    bytes[36] = 2;
    bytes[9] = bytes[9]! - 1;
    expect(readSrat(bytes).diagnoses).toEqual([
      { severity: "warning", offset: 36, expected: "1", found: "2" },
      { severity: "warning", offset: 88, expected: "the end of the table", found: "2 bytes more" },
      {
        severity: "warning",
        offset: 56,
        expected: "base + length of at most 2^64",
        found: "0xffffffffffffffff + 0x2",
      },
    ]);
    expect(decodeSrat(bytes).entries).toHaveLength(1);
  });
});

/** One sub-table with random content: any kind and length, or a type that has no layout. */
const subtable = fc
  .record({
    type: fc.oneof(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 255 })),
    more: fc.integer({ min: 0, max: 9 }),
  })
  .chain(({ type, more }) => {
    const kind = SRAT_KINDS[type];
    const length = (kind === undefined ? 2 : SRAT_SUBTABLE[kind].size) + more;
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((bytes) => Uint8Array.from(bytes, (byte, i) => (i === 0 ? type : i === 1 ? length : byte)));
  });

describe("laws", () => {
  it("every well-formed table is written back byte for byte, reserved bytes and longer sub-tables included", () => {
    fc.assert(
      fc.property(
        fc.array(subtable, { maxLength: 12 }),
        fc.uint8Array({ minLength: 44, maxLength: 44 }),
        (parts, head) => {
          const entries: SratEntry[] = parts.map((bytes) => ({ kind: "unknown", bytes }));
          const bytes = sratTable(entries);
          bytes.set(head, 4);
          bytes.set([bytes.length & 0xff, bytes.length >> 8, 0, 0], 4);
          const srat: Srat = decodeSrat(bytes);
          expect(srat.entries).toHaveLength(parts.length);
          expect(encodeSrat(srat)).toEqual(bytes);
        },
      ),
    );
  });

  it("any bytes get a reading that ends, and errors come back as DecodeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, table) => {
        const bytes = table ? Uint8Array.from([...sound().subarray(0, 48), ...noise]) : noise;
        if (table) bytes.set([bytes.length & 0xff], 4);
        const { diagnoses } = readSrat(bytes);
        const errors = diagnoses.filter(({ severity }) => severity === "error");
        expect(errors.length).toBeLessThanOrEqual(1);
        for (const { offset } of diagnoses) expect(offset).toBeLessThanOrEqual(bytes.length);
        if (errors.length === 1) expect(() => decodeSrat(bytes)).toThrow(DecodeError);
        else decodeSrat(bytes);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("constructors and lines", () => {
  it("a processor has a type 0 entry below APIC id 255 and a type 2 entry from there on", () => {
    expect([sratProcessor(300, 254).kind, sratProcessor(0, 255).kind]).toEqual(["cpu", "x2apic"]);
    expect(sratProcessor(300, 7)).toMatchObject({
      fields: { proximityLow: 44, proximityHigh: 1, apicId: 7 },
    });
  });

  it.each([
    [sratMemory(1, 0x1_8000_0000n, 0x1_8000_0000n, 3), "[mem 0x180000000-0x2ffffffff] hotplug"],
    [sratMemory(1, 0n, 0xa_0000n, 1), "[mem 0x00000000-0x0009ffff]"],
    [sratMemory(1, 0x1000n, 0x1000n, 7), "[mem 0x00001000-0x00001fff] hotplug non-volatile"],
  ])("prints a memory entry as the kernel does", (entry, range) => {
    if (entry.kind !== "memory") throw new Error("a memory entry");
    expect(sratMemoryLine(0, 1, entry.fields)).toBe(`ACPI: SRAT: Node 0 PXM 1 ${range}`);
  });
});
