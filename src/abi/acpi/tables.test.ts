import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ownData } from "../../../test/shared-data.ts";
import { DecodeError } from "../bytes.ts";
import { OST_EVENT, ostEventName, ostStatusName } from "./ost.ts";
import { decodeRsdp, rsdp } from "./rsdp.ts";
import { ACPI_TABLE_HEADER, acpiTable, byteSum, decodeTableHeader } from "./table-header.ts";
import { decodeXsdt, xsdt } from "./xsdt.ts";

describe("RSDP", () => {
  it("has two right checksums and points to the XSDT", () => {
    const bytes = rsdp(0x7f77_e0e8n);
    expect(bytes).toHaveLength(36);
    expect(String.fromCharCode(...bytes.subarray(0, 8))).toBe("RSD PTR ");
    expect([byteSum(bytes.subarray(0, 20)), byteSum(bytes)]).toEqual([0, 0]);
    expect([...bytes.subarray(24, 32)]).toEqual([0xe8, 0xe0, 0x77, 0x7f, 0, 0, 0, 0]);
    expect(decodeRsdp(bytes).xsdtAddress).toBe(0x7f77_e0e8n);
  });

  it.each([
    [0, 0x72],
    [8, 0],
    [15, 1],
    [20, 35],
    [20, 37],
    [32, 0],
  ])("is refused when byte %i is %i", (at, value) => {
    const bytes = rsdp(0x1234n);
    bytes[at] = bytes[at] === value ? value + 1 : value;
    expect(() => decodeRsdp(bytes)).toThrow(DecodeError);
  });
});

describe("tables", () => {
  it("an XSDT keeps its pointers at unaligned bytes from 36 on", () => {
    const bytes = xsdt([0x1111n, 0x2_0000_0000n]);
    expect(bytes).toHaveLength(52);
    expect(bytes[36]).toBe(0x11);
    expect(byteSum(bytes)).toBe(0);
    expect(decodeXsdt(bytes)).toEqual([0x1111n, 0x2_0000_0000n]);
    bytes[40] = 1;
    expect(() => decodeXsdt(bytes)).toThrow("XSDT, byte 9");
  });

  it("a recorded table has the header that QEMU's maker's marks make", () => {
    const recorded = Uint8Array.from(readFileSync(ownData("acpi", "rec-pcdimm-2node.APIC.dat")));
    const header = ACPI_TABLE_HEADER.decode(recorded);
    expect(acpiTable("APIC", header.revision, recorded.subarray(36))).toEqual(recorded);
  });

  it("a header with another signature, too short or beyond its bytes is refused with the offset", () => {
    const bytes = acpiTable("SRAT", 3, new Uint8Array(12));
    expect(() => decodeTableHeader(bytes, "SLIT", 36)).toThrow(
      'byte 0: expected signature "SLIT", found "SRAT"',
    );
    expect(() => decodeTableHeader(bytes, "SRAT", 49)).toThrow(
      "byte 4: expected a length of 49 or more, found 48",
    );
    expect(() => decodeTableHeader(bytes.subarray(0, 40), "SRAT", 36)).toThrow(
      "byte 4: expected a length of at most 40",
    );
  });

  it("any bytes decode or are refused with DecodeError", () => {
    const start = fc.constantFrom(rsdp(1n), xsdt([1n]), new Uint8Array());
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 60 }), fc.nat(40), (good, noise, at) => {
        const bytes = Uint8Array.from([...good.subarray(0, at), ...noise]);
        for (const decode of [decodeRsdp, decodeXsdt, (b: Uint8Array) => decodeTableHeader(b, "XSDT", 36)]) {
          try {
            decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        }
      }),
    );
  });
});

it("a status of _OST has the meaning its event gives it", () => {
  expect(ostStatusName(OST_EVENT.EJECT_REQUEST, 0x81)).toBe("DEVICE_IN_USE");
  expect(ostStatusName(OST_EVENT.OSPM_EJECT, 0x84)).toBe("IN_PROGRESS");
  expect(ostStatusName(OST_EVENT.DEVICE_CHECK, 0x81)).toBe("DRIVER_LOAD_FAILURE");
  expect(ostStatusName(OST_EVENT.BUS_CHECK, 0x81)).toBe("status 0x81");
  expect(ostStatusName(OST_EVENT.EJECT_REQUEST, 1)).toBe("NON_SPECIFIC_FAILURE");
  expect([ostEventName(0x103), ostEventName(2)]).toEqual(["OSPM_EJECT", "event 0x2"]);
});
