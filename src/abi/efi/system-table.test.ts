import fc from "fast-check";
import { expect, it } from "vitest";
import { DecodeError } from "../bytes.ts";
import { crc32 } from "./crc32.ts";
import { EFI_GUID } from "./guid.ts";
import { EFI_STATUS, type EfiStatus, efiStatusName, efiStatusWord } from "./status.ts";
import {
  decodeConfigurationTable,
  decodeEfiSystemTable,
  EFI_SYSTEM_TABLE,
  efiSystemTable,
  encodeConfigurationTable,
} from "./system-table.ts";

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

it("computes the check value of CRC-32", () => {
  expect(crc32(ascii("123456789"))).toBe(0xcbf4_3926);
  expect(crc32(new Uint8Array())).toBe(0);
});

it("writes a system table whose fields lie where the kernel reads them", () => {
  const bytes = efiSystemTable(0x7f00_0018n, 3, 0x7e00_0000n);
  expect(bytes).toHaveLength(120);
  expect(bytes.subarray(0, 8)).toEqual(ascii("IBI SYST"));
  expect([...bytes.subarray(24, 32)]).toEqual([0, 0, 0, 0x7e, 0, 0, 0, 0]);
  expect([...bytes.subarray(104, 120)]).toEqual([3, 0, 0, 0, 0, 0, 0, 0, 0x18, 0, 0, 0x7f, 0, 0, 0, 0]);
  const zeroed = bytes.slice();
  EFI_SYSTEM_TABLE.put(zeroed, "crc32", 0);
  expect(EFI_SYSTEM_TABLE.get(bytes, "crc32")).toBe(crc32(zeroed));
});

it("takes a system table with a wrong CRC and refuses one with another signature", () => {
  const bytes = efiSystemTable(0x1000n, 1);
  EFI_SYSTEM_TABLE.put(bytes, "crc32", 1);
  expect(decodeEfiSystemTable(bytes).tables).toBe(0x1000n);
  bytes[0] = 0;
  expect(() => decodeEfiSystemTable(bytes)).toThrow(DecodeError);
});

it("configuration entries survive encode and decode", () => {
  const entries = [
    { guid: EFI_GUID.ACPI_20_TABLE, table: 0x7f37_d014n },
    { guid: EFI_GUID.LINUX_UNACCEPTED_MEM_TABLE, table: 0x7f37_eb18n },
  ];
  const bytes = encodeConfigurationTable(entries);
  expect(bytes).toHaveLength(48);
  expect(decodeConfigurationTable(bytes, 2)).toEqual(entries);
  expect(() => decodeConfigurationTable(bytes, 3)).toThrow("expected 3 entries, found 2");
});

it("any bytes decode or are refused with DecodeError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 9 }), (bytes, count) => {
      for (const decode of [decodeEfiSystemTable, (b: Uint8Array) => decodeConfigurationTable(b, count)]) {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }
    }),
  );
});

it("names status words, and keeps the number of one it does not know", () => {
  for (const name of Object.keys(EFI_STATUS) as EfiStatus[])
    expect(efiStatusName(efiStatusWord(name))).toBe(name);
  expect(efiStatusWord("EFI_UNSUPPORTED")).toBe(0x8000_0000_0000_0003n);
  expect(efiStatusName(0x8000_0000_0000_0063n)).toBe("EFI status 0x8000000000000063");
});
