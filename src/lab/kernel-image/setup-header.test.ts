import fc from "fast-check";
import { expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { decodeSetupHeader, SETUP_HEADER } from "./setup-header.ts";
import { tinyBzImage } from "./testing/tiny-bzimage.ts";

const image = tinyBzImage(new Uint8Array(32));

it("fields lie where the boot protocol has them", () => {
  const bytes = new Uint8Array(0x26c);
  SETUP_HEADER.put(bytes, "payloadOffset", 0x11);
  SETUP_HEADER.put(bytes, "payloadLength", 0x22);
  SETUP_HEADER.put(bytes, "initSize", 0x33);
  SETUP_HEADER.put(bytes, "prefAddress", 0x44n);
  expect([bytes[0x248], bytes[0x24c], bytes[0x260], bytes[0x258]]).toEqual([0x11, 0x22, 0x33, 0x44]);
});

it.each([
  ["bootFlag", 0x1234, "byte 510: expected 0xaa55, found 0x1234"],
  ["header", "HdrX", 'byte 514: expected "HdrS", found "HdrX"'],
  ["version", 0x204, "byte 518: expected boot protocol 2.12 or newer, found 2.4"],
  ["xloadflags", 0x7e, "byte 566: expected a 64-bit kernel (bit 0 of xloadflags), found 0x007e"],
] as const)("a wrong %s is named with its offset", (field, value, message) => {
  expect(() => decodeSetupHeader(tinyBzImage(new Uint8Array(32), { [field]: value }))).toThrow(message);
});

it("a file shorter than the header is refused with its length", () => {
  expect(() => decodeSetupHeader(image.subarray(0, 100))).toThrow("expected 620 bytes, found 100");
});

it("any bytes decode or throw DecodeError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => {
      try {
        decodeSetupHeader(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }),
  );
});
