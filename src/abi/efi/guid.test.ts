import fc from "fast-check";
import { expect, it } from "vitest";
import { DecodeError } from "../bytes.ts";
import { EFI_GUID, guidBytes, guidText } from "./guid.ts";

const bytes = (text: string): Uint8Array =>
  Uint8Array.from(text.split(" "), (byte) => Number.parseInt(byte, 16));

it.each([
  [EFI_GUID.LINUX_UNACCEPTED_MEM_TABLE, "3c de d1 d5 5c 10 f9 44 9e a9 bc ef 98 12 00 31"],
  [EFI_GUID.ACPI_20_TABLE, "71 e8 68 88 f1 e4 d3 11 bc 22 00 80 c7 3c 88 81"],
  [EFI_GUID.ACPI_10_TABLE, "30 2d 9d eb 88 2d d3 11 9a 16 00 90 27 3f c1 4d"],
  [EFI_GUID.SEV_MEMORY_ACCEPTANCE_PROTOCOL, "fe 10 a0 c5 a7 38 31 45 8a 4a 05 00 d2 fd 16 49"],
])("%s lies in memory as %s", (text, memory) => {
  expect(guidBytes(text)).toEqual(bytes(memory));
  expect(guidText(bytes(memory))).toBe(text);
});

it("any 16 bytes are a GUID and come back from its text", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 24 }), (memory) => {
      const at = memory.length - 16;
      expect(guidBytes(guidText(memory, at))).toEqual(memory.slice(at));
    }),
  );
});

it("fewer bytes are refused", () => {
  expect(() => guidText(new Uint8Array(20), 5)).toThrow(DecodeError);
});
