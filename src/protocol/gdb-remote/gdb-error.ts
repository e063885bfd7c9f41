import { FormatError } from "../format-error.ts";

/**
 * Bytes of a gdb remote connection do not have the form the protocol gives them: a framing error, or a reply
 * that does not answer what was asked. It is about the form only; a stub's refusal (`E22`) is an answer.
 */
export class GdbFormatError extends FormatError {
  override name = "GdbFormatError";
}

const LONGEST_SHOWN = 40;

/** A payload for an error message: printable, quoted, never long. */
export const shown = (payload: Uint8Array | string): string => {
  const bytes = typeof payload === "string" ? Array.from(payload, (c) => c.charCodeAt(0)) : payload;
  if (bytes.length === 0) return "an empty packet";
  let text = "";
  for (let i = 0; i < Math.min(bytes.length, LONGEST_SHOWN); i++) {
    const byte = bytes[i]!;
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
  }
  return bytes.length > LONGEST_SHOWN ? `"${text}..." of ${bytes.length} bytes` : `"${text}"`;
};
