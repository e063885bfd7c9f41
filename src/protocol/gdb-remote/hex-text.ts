import { assert } from "../../assert.ts";
import { GdbFormatError, shown } from "./gdb-error.ts";

const NOT_HEX = 0xff;

/** Value of each ASCII code as a hexadecimal digit, either case. */
const NIBBLE = Uint8Array.from({ length: 256 }, (_, code) => {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x41 && code <= 0x46) return code - 0x37;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return NOT_HEX;
});

/** Value of one digit given by its ASCII code; 255 if it is none. */
export const nibble = (code: number): number => NIBBLE[code] ?? NOT_HEX;

const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Two lower-case digits a byte. */
export const hexOf = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += PAIRS[byte];
  return text;
};

/** One character a byte; for the parts of a payload that are text. */
export const textOf = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};

/** The bytes of text whose characters are all below 256. */
export const bytesOf = (text: string): Uint8Array => {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    assert(code < 256, () => `character ${i} of a packet is a byte`);
    bytes[i] = code;
  }
  return bytes;
};

/**
 * The bytes that a payload of digit pairs stands for.
 *
 * @throws GdbFormatError if a character is no digit or the count is odd
 */
export const bytesOfHex = (payload: Uint8Array, what: string): Uint8Array => {
  if (payload.length % 2 !== 0) throw new GdbFormatError(what, "pairs of digits", shown(payload));
  const bytes = new Uint8Array(payload.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = NIBBLE[payload[2 * i]!]!;
    const low = NIBBLE[payload[2 * i + 1]!]!;
    if ((high | low) === NOT_HEX) throw new GdbFormatError(what, "hexadecimal digits", shown(payload));
    bytes[i] = high * 16 + low;
  }
  return bytes;
};

/** @throws GdbFormatError unless `digits` is one to sixteen hexadecimal digits */
export const bigOfHex = (digits: string, what: string): bigint => {
  if (!/^[0-9a-fA-F]{1,16}$/.test(digits))
    throw new GdbFormatError(what, "a hexadecimal number", shown(digits));
  return BigInt(`0x${digits}`);
};

/** @throws GdbFormatError unless `digits` is a hexadecimal number of at most `most` digits, itself at most 8 */
export const numberOfHex = (digits: string, what: string, most = 8): number => {
  assert(most <= 8, "a number of 8 digits is exact");
  if (!/^[0-9a-fA-F]+$/.test(digits) || digits.length > most) {
    throw new GdbFormatError(what, `1 to ${most} hexadecimal digits`, shown(digits));
  }
  return Number.parseInt(digits, 16);
};
