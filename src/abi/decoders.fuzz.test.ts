import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, it } from "vitest";
import { checksumLine } from "./acpi/checksum-line.ts";
import { decodeRsdp, rsdp } from "./acpi/rsdp.ts";
import { decodeSlit } from "./acpi/slit.ts";
import { decodeSrat, readSrat, sratTable } from "./acpi/srat.ts";
import { decodeSratEntryAt } from "./acpi/srat-decode.ts";
import { decodeSratEntry, sratMemory } from "./acpi/srat-subtables.ts";
import { acpiTable, decodeTableHeader } from "./acpi/table-header.ts";
import { LISTED_SIGNATURES, listTable } from "./acpi/table-listing.ts";
import { decodeXsdt, xsdt } from "./acpi/xsdt.ts";
import { BOOT_PARAMS } from "./boot-params/boot-params.ts";
import { decodeE820Ext, decodeE820Table, e820Entries } from "./boot-params/e820.ts";
import { encodeSetupData, setupDataNodes } from "./boot-params/setup-data.ts";
import { DecodeError, type Struct } from "./bytes.ts";
import { decodeMemoryMap } from "./efi/memory-descriptor.ts";
import { decodeConfigurationTable, decodeEfiSystemTable, efiSystemTable } from "./efi/system-table.ts";
import { putUnacceptedTable, unacceptedTableBytes, unacceptedTableView } from "./efi/unaccepted-table.ts";
import { decodeTdParams, TD_PARAMS_BYTES } from "./tdx/td-params.ts";
import {
  CMR_LIST_BYTES,
  decodeCmrList,
  decodeReservedAreas,
  decodeTdmrInfo,
  MAX_RESERVED_AREAS,
  TDMR_INFO_BYTES,
} from "./tdx/tdmr-info.ts";
import type { Word } from "./word.ts";

/** What a decoder makes of bytes and a number beside them: a count, a stride, an address, a number of units. */
type Decode = (bytes: Uint8Array, n: number) => unknown;

/** The bytes as a structure of fixed length, as whoever reads one takes them out of memory. */
const whole = (bytes: Uint8Array, length: number): Uint8Array => {
  const fixed = new Uint8Array(length);
  fixed.set(bytes.subarray(0, length));
  return fixed;
};
const reserved = (n: number): number => n % (MAX_RESERVED_AREAS + 1);

const DECODERS: { readonly [name: string]: Decode } = {
  checksumLine: (bytes) => checksumLine(bytes, "20240827"),
  decodeCmrList: (bytes) => decodeCmrList(whole(bytes, CMR_LIST_BYTES)),
  decodeConfigurationTable,
  decodeE820Ext,
  decodeE820Table: (bytes) => decodeE820Table(bytes),
  decodeEfiSystemTable,
  decodeMemoryMap,
  decodeReservedAreas: (bytes, n) => decodeReservedAreas(whole(bytes, TDMR_INFO_BYTES), reserved(n)),
  decodeRsdp,
  decodeSlit,
  decodeSrat,
  decodeSratEntry: (bytes) => decodeSratEntry(bytes),
  decodeSratEntryAt: (bytes) => decodeSratEntryAt(whole(bytes, 256), 0, 64),
  decodeTableHeader: (bytes, n) => decodeTableHeader(bytes, "SRAT", n),
  decodeTdParams: (bytes) => decodeTdParams(whole(bytes, TD_PARAMS_BYTES)),
  decodeTdmrInfo: (bytes) => decodeTdmrInfo(whole(bytes, TDMR_INFO_BYTES)),
  decodeXsdt,
  e820Entries: (bytes) => e820Entries(bytes, (at, length) => within(bytes, at, length)),
  listTable,
  readSrat,
  setupDataNodes: (bytes, n) => setupDataNodes((at, length) => within(bytes, at, length), BigInt(n)),
  unacceptedTableView,
};

/** Guest memory that is these bytes and no more. */
const within = (bytes: Uint8Array, at: number, length: number): Uint8Array | undefined =>
  at + length <= bytes.length ? bytes.subarray(at, at + length) : undefined;

const unacceptedTable = (): Uint8Array => {
  const bytes = new Uint8Array(unacceptedTableBytes(2, 8)).fill(0xa5);
  putUnacceptedTable(bytes, { version: 2, unitSize: 2 ** 21, physBase: 2n ** 32n, size: 8 });
  return bytes;
};

const bootParams = (): Uint8Array => {
  const bytes = new Uint8Array(BOOT_PARAMS.size);
  BOOT_PARAMS.put(bytes, "e820Entries", 3);
  bytes.set(encodeSetupData(1, new Uint8Array(40)), 256);
  BOOT_PARAMS.put(bytes, "setupData", 256n);
  return bytes;
};

/** Sound structures: damaged a little, they lead further in than chance does. */
const SOUND: readonly Uint8Array[] = [
  sratTable([sratMemory(0, 0n, 2n ** 32n, 1), sratMemory(1, 2n ** 32n, 2n ** 32n, 3)]),
  rsdp(0x1000n),
  xsdt([0x1000n, 0x2000n]),
  efiSystemTable(0x3000n, 2),
  unacceptedTable(),
  bootParams(),
  encodeSetupData(1, new Uint8Array(40), 16n),
  ...LISTED_SIGNATURES.map((signature) => acpiTable(signature, 1, new Uint8Array(60).fill(1))),
];

const damaged = fc
  .tuple(
    fc.constantFrom(...SOUND),
    fc.array(fc.tuple(fc.nat(4200), fc.constantFrom(0, 1, 2, 40, 0x7f, 0x80, 0xff)), { maxLength: 4 }),
    fc.oneof({ weight: 3, arbitrary: fc.constant(5000) }, { weight: 1, arbitrary: fc.nat(600) }),
  )
  .map(([sound, changes, cut]) => {
    const bytes = sound.slice(0, cut);
    for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
    return bytes;
  });
const input = fc.oneof(
  { weight: 3, arbitrary: damaged },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
);
const number = fc.oneof(fc.nat(300), fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53 - 1));

/** The same bytes in memory that holds something else around them. */
const surrounded = (bytes: Uint8Array, by: number): Uint8Array => {
  const memory = new Uint8Array(bytes.length + 128).fill(by);
  memory.set(bytes, 64);
  return memory.subarray(64, 64 + bytes.length);
};

/** What comes of it as text, or its own error. */
const outcome = (decode: Decode, bytes: Uint8Array, n: number): string => {
  try {
    return JSON.stringify(decode(bytes, n), (_key, value: unknown) => {
      expect(value).not.toBeNaN();
      if (value instanceof Uint8Array) return [...value];
      return typeof value === "bigint" ? `${value}` : value;
    });
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
};

const folder = fileURLToPath(new URL(".", import.meta.url));
const modules = await Promise.all(
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => import(`${folder}${file}`) as Promise<Readonly<Record<string, unknown>>>),
);
const exported = modules.flatMap((module) => Object.entries(module));
/** What takes bytes apart, by its name. What lists parts of a table is reached through listTable. */
const IS_DECODER = /^(decode|read)[A-Z]|^listTable$|^setupDataNodes$|^e820Entries$|View$|^checksumLine$/;

it("every decoder of this folder is fuzzed here", () => {
  const found = exported.flatMap(([name, value]) =>
    typeof value === "function" && IS_DECODER.test(name) ? [name] : [],
  );
  expect([...new Set(found)].sort()).toEqual(Object.keys(DECODERS).sort());
});

it.each(Object.entries(DECODERS))(
  "%s throws DecodeError or nothing, and reads no byte but its own",
  (_, decode) => {
    fc.assert(
      fc.property(input, number, (bytes, n) => {
        const low = outcome(decode, surrounded(bytes, 0), n);
        expect(outcome(decode, surrounded(bytes, 0xff), n)).toBe(low);
      }),
      { numRuns: 300 },
    );
  },
);

const hasDecode = (value: unknown): value is { decode: unknown } =>
  typeof value === "object" && value !== null && "decode" in value;
const structs = exported.filter(
  (entry): entry is [string, Struct<never>] => hasDecode(entry[1]) && "size" in entry[1],
);
const words = exported.filter(
  (entry): entry is [string, Word<Record<string, bigint>>] => hasDecode(entry[1]) && "reserved" in entry[1],
);

it.each(structs)("%s decodes wherever its bytes are all there, and says where they are not", (_, layout) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(320), (bytes, at) => {
      const decode: Decode = (all) => layout.decode(all, at);
      const low = outcome(decode, surrounded(bytes, 0), 0);
      expect(outcome(decode, surrounded(bytes, 0xff), 0)).toBe(low);
      expect(low.startsWith("{")).toBe(at + layout.size <= bytes.length);
    }),
    { numRuns: 50 },
  );
});

it.each(words)("%s decodes every 64-bit value and keeps what its fields cover", (_, layout) => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (raw) => {
      expect(layout.encode(layout.decode(raw) as never)).toBe(raw & ~layout.reserved);
    }),
    { numRuns: 50 },
  );
});

it("there are structures and words to try", () => {
  expect(structs.length).toBeGreaterThan(15);
  expect(words.length).toBeGreaterThan(8);
});
