import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { sharedData } from "../../../test/shared-data.ts";
import { DecodeError } from "../bytes.ts";
import { EFI_GUID } from "./guid.ts";
import {
  decodeMemoryMap,
  EFI_MEMORY_ATTRIBUTE,
  EFI_MEMORY_TYPE,
  type EfiMemoryDescriptor,
  efiMemoryDescriptor,
  efiMemoryEnd,
  encodeMemoryMap,
} from "./memory-descriptor.ts";
import { efiMemoryLine, efiTypeName } from "./memory-map-lines.ts";
import { efiTablesLine } from "./table-lines.ts";

const UNACCEPTED = efiMemoryDescriptor("UNACCEPTED", 0x1_0000_0000n, 0x1_8000_0000n);

it("a descriptor lies in 40 bytes as UEFI prints them", () => {
  const bytes = encodeMemoryMap([UNACCEPTED]);
  const expected = new Uint8Array(40);
  expected.set([15], 0);
  expected.set([1], 12); // 0x1_0000_0000
  expected.set([0, 0, 8], 24); // 0x80000 pages
  expected.set([15], 32); // UC, WC, WT, WB
  expect(bytes).toEqual(expected);
  expect(efiMemoryEnd(UNACCEPTED)).toBe(0x1_8000_0000n);
});

const u64 = fc.bigInt(0n, 2n ** 64n - 1n);
const descriptor: fc.Arbitrary<EfiMemoryDescriptor> = fc.record({
  type: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  padding: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  physAddr: u64,
  virtAddr: u64,
  numPages: u64,
  attribute: u64,
});

it("a map is walked with the stride that firmware reports", () => {
  fc.assert(
    fc.property(fc.array(descriptor, { maxLength: 8 }), fc.integer({ min: 40, max: 64 }), (map, stride) => {
      expect(decodeMemoryMap(encodeMemoryMap(map, stride), stride)).toEqual(map);
    }),
  );
});

it("any bytes are a map, less an incomplete descriptor at the end; a stride below 40 is refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: -1, max: 80 }), (bytes, stride) => {
      if (stride < 40) expect(() => decodeMemoryMap(bytes, stride)).toThrow(DecodeError);
      else expect(decodeMemoryMap(bytes, stride)).toHaveLength(Math.floor(bytes.length / stride));
    }),
  );
});

it("an end past 2^64 wraps as it does in the kernel", () => {
  expect(efiMemoryEnd({ ...UNACCEPTED, physAddr: 2n ** 64n - 0x1000n, numPages: 3n })).toBe(0x2000n);
});

it.each([
  [
    0,
    UNACCEPTED,
    "efi: mem00: [Unaccepted  |   |  |  |  |  |  |  |  |  |  |   |WB|WT|WC|UC] range=[0x0000000100000000-0x000000017fffffff] (2048MB)",
  ],
  [
    110,
    efiMemoryDescriptor(
      "RUNTIME_SERVICES_DATA",
      0x1000n,
      0x2000n,
      EFI_MEMORY_ATTRIBUTE.RUNTIME | (1n << 20n) | (1n << 4n),
    ),
    "efi: mem110: [Runtime Data|RUN|HP|  |  |  |  |  |  |  |  |UCE|  |  |  |  ] range=[0x0000000000001000-0x0000000000001fff] (0MB)",
  ],
  [
    7,
    { ...UNACCEPTED, attribute: 0x20_000fn },
    "efi: mem07: [Unaccepted  |attr=0x000000000020000f] range=[0x0000000100000000-0x000000017fffffff] (2048MB)",
  ],
  [
    8,
    { ...UNACCEPTED, type: 16, attribute: 0n },
    "efi: mem08: [type=16|   |  |  |  |  |  |  |  |  |  |   |  |  |  |  ] range=[0x0000000100000000-0x000000017fffffff] (2048MB)",
  ],
])("prints descriptor %i as the kernel does", (index, value, line) => {
  expect(efiMemoryLine(index, value)).toBe(line);
});

const LINE = /efi: mem(\d+): \[(.{12})\|([^\]]*)\] range=\[0x([0-9a-f]{16})-0x([0-9a-f]{16})\] \(\d+MB\)/;
const LETTERS: { readonly [letters: string]: bigint } = {
  ...EFI_MEMORY_ATTRIBUTE,
  RUN: EFI_MEMORY_ATTRIBUTE.RUNTIME,
  HP: EFI_MEMORY_ATTRIBUTE.HOT_PLUGGABLE,
  MR: EFI_MEMORY_ATTRIBUTE.MORE_RELIABLE,
  CC: EFI_MEMORY_ATTRIBUTE.CPU_CRYPTO,
};

const recorded = sharedData("logs", "rec-pcdimm-2node.console.log");
it.skipIf(recorded === undefined)("prints each line of a recorded boot again (needs the shared logs)", () => {
  const lines = readFileSync(recorded!, "utf8").matchAll(new RegExp(LINE, "g"));
  let count = 0;
  for (const [line, index, name, columns, first, last] of lines) {
    const type = Array.from({ length: 16 }, (_, n) => n).find((n) => efiTypeName(n) === name!.trim())!;
    const letters = columns!.split("|").map((column) => column.trim());
    const attribute = letters.reduce((word, column) => word | (LETTERS[column] ?? 0n), 0n);
    const physAddr = BigInt(`0x${first}`);
    const numPages = (BigInt(`0x${last}`) + 1n - physAddr) / 4096n;
    expect(
      efiMemoryLine(Number(index), { type, padding: 0, physAddr, virtAddr: 0n, numPages, attribute }),
    ).toBe(line);
    count++;
  }
  expect(count).toBe(232);
});

it("lists the configuration tables it has names for", () => {
  const entries = [
    { guid: "00000000-0000-0000-0000-000000000001", table: 1n },
    { guid: EFI_GUID.ACPI_10_TABLE, table: 0x7f37_d000n },
    { guid: EFI_GUID.ACPI_20_TABLE, table: 0x7f37_d014n },
    { guid: EFI_GUID.LINUX_UNACCEPTED_MEM_TABLE, table: 0x7f37_eb18n },
  ];
  expect(efiTablesLine(entries)).toBe("efi: ACPI=0x7f37d000 ACPI 2.0=0x7f37d014 Unaccepted=0x7f37eb18 ");
  expect(efiTablesLine(entries, ({ table }) => table === 0x7f37_d000n)).toBe(
    "efi: (ACPI=0x7f37d000 unusable) ACPI 2.0=0x7f37d014 Unaccepted=0x7f37eb18 ",
  );
});

it("every type has its number", () => {
  expect(Object.values(EFI_MEMORY_TYPE)).toEqual(Array.from({ length: 16 }, (_, n) => n));
});
