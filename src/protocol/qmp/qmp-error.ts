import { FormatError } from "../format-error.ts";

/** A QMP stream or a message in it does not have the form that the protocol or the schema gives it. */
export class QmpFormatError extends FormatError {
  override name = "QmpFormatError";
}

const LONGEST_SHOWN = 60;
const CONTROL = /[\p{Cc}\u2028\u2029]+/gu;

/** A value for an error message: on one line, never long. */
export const shownValue = (value: unknown): string => {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) {
    return `an object with ${shownText(Object.keys(value).slice(0, 6).join(", ")) || "no members"}`;
  }
  return shownText(JSON.stringify(value) ?? String(value));
};

/** Text for an error message: on one line, never long. */
export const shownText = (text: string): string => {
  const line = text.replace(CONTROL, " ");
  return line.length <= LONGEST_SHOWN ? line : `${line.slice(0, LONGEST_SHOWN - 3)}...`;
};
