import { describe, expect, it } from "vitest";
import { rsdp } from "../../abi/acpi/rsdp.ts";
import { sratTable } from "../../abi/acpi/srat.ts";
import { sratMemory } from "../../abi/acpi/srat-subtables.ts";
import { xsdt } from "../../abi/acpi/xsdt.ts";
import { putUnacceptedTable, unacceptedTableBytes } from "../../abi/efi/unaccepted-table.ts";
import { bytesOf, readArtifact, troublesIn } from "../testing/read-artifact.ts";

const UNIT = 2 ** 21;
const BASE = 2 ** 32;

/** A table of version 1 or 2 whose bitmaps have 2 bytes: 32 MiB from 4 GiB on. */
const table = (
  version: 1 | 2,
  unaccepted: readonly number[],
  plugged: readonly number[] = [],
): Uint8Array => {
  const bytes = new Uint8Array(unacceptedTableBytes(version, 2));
  putUnacceptedTable(bytes, { version, unitSize: UNIT, physBase: BigInt(BASE), size: 2 });
  bytes.set(unaccepted, 24);
  bytes.set(plugged, 26);
  return bytes;
};

const units = (first: number, count: number) => ({
  start: BASE + first * UNIT,
  end: BASE + (first + count) * UNIT,
});

describe("an unaccepted-memory table", () => {
  it("of version 1 tells which units are unaccepted, as runs", () => {
    const [fact] = readArtifact(table(1, [0b1100_0001, 0xff])).sink.facts;
    expect(fact).toMatchObject({
      kind: "unaccepted-table",
      version: 1,
      start: BASE,
      end: BASE + 16 * UNIT,
      unaccepted: [units(0, 1), units(6, 10)],
      plugged: undefined,
    });
  });
  it("of version 2 has a second bitmap", () => {
    const [fact] = readArtifact(table(2, [0, 0], [0x0f, 0x80])).sink.facts;
    expect(fact).toMatchObject({ version: 2, unaccepted: [], plugged: [units(0, 4), units(15, 1)] });
  });
  it("of another version is nothing known, and the reason names the byte", () => {
    const bytes = table(1, [1, 0]);
    bytes[0] = 3;
    expect(readArtifact(bytes).source.not).toContainEqual({
      kind: "unaccepted-memory table",
      why: "version 3 at byte 0, not 1 or 2",
    });
  });
  it("that is cut tells the units whose bits are there, and where it ends", () => {
    const cut = table(2, [0b1000_0001, 0]).slice(0, 25);
    const [fact] = readArtifact(cut).sink.facts;
    expect(fact).toMatchObject({ version: 2, end: BASE + 8 * UNIT, unaccepted: [units(0, 1), units(7, 1)] });
    expect(troublesIn(cut)).toEqual([
      "error @25: a whole unaccepted-memory table | bitmaps of 2 bytes at byte 16, in 25 bytes in all",
    ]);
  });
  it("that is cut and has another unit than Linux' is nothing known", () => {
    const cut = table(2, [1, 0]).slice(0, 27);
    cut[6] = 0x40;
    const { kinds, not } = readArtifact(cut).source;
    expect([kinds, not.find(({ kind }) => kind === "unaccepted-memory table")?.why]).toEqual([
      [],
      "bitmaps of 2 bytes at byte 16, in 27 bytes in all",
    ]);
  });
});

/** Guest RAM with a configuration table entry, an unaccepted table, and the ACPI tables. */
const dump = (): Uint8Array => {
  const ram = new Uint8Array(0x4_0000);
  ram.fill(0xcc, 0x100, 0x200);
  const guid = "3cded1d55c10f9449ea9bcef98120031".match(/../g)!.map((digits) => Number.parseInt(digits, 16));
  ram.set(guid, 0x2_0018);
  ram[0x2_0018 + 18] = 0x03; // 0x30000
  ram.set(table(1, [3, 0]), 0x3_0000);
  ram.set(rsdp(0x2_8000n), 0x1_8000);
  ram.set(xsdt([0x2_9000n, 0n]), 0x2_8000);
  ram.set(sratTable([sratMemory(1, 0x1_0000_0000n, 0x8000_0000n, 3)]), 0x2_9000);
  return ram;
};

describe("a dump of guest RAM", () => {
  it.each([2 ** 20, 4096, 1000])("leads to the tables in it, read in pieces of %i bytes", (piece) => {
    const { sink, source } = readArtifact(dump(), piece);
    expect(source.kinds).toEqual(["RAM dump"]);
    expect(sink.facts.map(({ kind, at }) => [kind, at.offset])).toEqual([
      ["unaccepted-table", 0x3_0000],
      ["rsdp", 0x1_8000],
      ["acpi-table", 0x2_9000],
      ["srat-memory", 0x2_9000],
    ]);
  });
  it("without any is nothing known", () => {
    const { source } = readArtifact(new Uint8Array(0x2_0000).fill(1));
    expect(source.kinds).toEqual([]);
    expect(source.not.map(({ kind }) => kind)).toEqual([
      "ACPI table",
      "tar archive",
      "unaccepted-memory table",
      "RMP dump",
      "RAM dump",
    ]);
  });
});

describe("a damaged ACPI table", () => {
  const sound = sratTable([sratMemory(0, 0n, 0x8000_0000n, 1), sratMemory(1, 0x1_0000_0000n, 0x1000n, 3)]);
  it("that is cut yields what is whole, and says where it ends", () => {
    expect(troublesIn(sound.slice(0, 100))).toEqual([
      "error @4: SRAT: a length of at most 100, the bytes there are | 128",
      "error @89: SRAT: a length of at most 12, to the table's end | 40",
    ]);
  });
  it("with a sub-table of length 0 yields what comes before it", () => {
    const bytes = sound.slice();
    bytes[89] = 0;
    bytes[9] = (bytes[9]! + 40) & 0xff;
    expect(readArtifact(bytes).sink.facts.filter(({ kind }) => kind === "srat-memory")).toHaveLength(1);
    expect(troublesIn(bytes)).toEqual(["error @89: SRAT: a length of 40 or more | 0"]);
  });
  it("with a wrong checksum is told, and read all the same", () => {
    const bytes = sound.slice();
    bytes[9]! ^= 1;
    expect(troublesIn(bytes)).toHaveLength(1);
    expect(readArtifact(bytes).sink.facts).toHaveLength(3);
  });
});

it("a text that begins like a signature is a text", () => {
  const { source } = readArtifact("SRAT: PXM 0 -> APIC 0x00 -> Node 0\n");
  expect(source.kinds).toEqual(["kernel log"]);
});

it("an empty file is nothing known", () => {
  expect(readArtifact(bytesOf("")).source).toMatchObject({ kinds: [], not: [{ why: "the file is empty" }] });
});
