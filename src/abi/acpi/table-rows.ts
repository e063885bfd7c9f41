import { assert } from "../../assert.ts";
import type { Kind, Layout, Struct } from "../bytes.ts";

/** One field of a table as a listing shows it: where, under which name, and the value in iasl's digits. */
export interface TableRow {
  /** Byte offset from the start of the table. */
  readonly offset: number;
  /** Bytes of the field; 0 for bits of the field above it. */
  readonly bytes: number;
  /** The name under which iasl lists it. */
  readonly label: string;
  /** Upper-case hexadecimal of the field's width, or text in quotes. */
  readonly value: string;
  /** What the value stands for, where it has a name. */
  readonly meaning?: string;
}

/** Bits `[high, low]` of a field, both included, with their name. */
export type BitLabel = readonly [label: string, high: number, low: number];
type FieldLabel = string | readonly [label: string, bits: readonly BitLabel[]];
/** The names of a structure's fields, in the words of iasl. */
export type Labels<L extends Layout> = { readonly [name in keyof L]: FieldLabel };

const BYTE_DIGITS = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).toUpperCase().padStart(2, "0"),
);

/** Upper-case digits of a little-endian number. */
const numberDigits = (bytes: Uint8Array, at: number, width: number): string => {
  let digits = "";
  for (let i = width - 1; i >= 0; i--) digits += BYTE_DIGITS[bytes[at + i]!]!;
  return digits;
};

/** Text as iasl prints it: up to the first NUL. What is not printable is a question mark. */
const quoted = (bytes: Uint8Array, at: number, width: number): string => {
  let text = "";
  for (let i = 0; i < width && bytes[at + i] !== 0; i++) {
    const byte = bytes[at + i]!;
    text += 0x20 <= byte && byte < 0x7f ? String.fromCharCode(byte) : "?";
  }
  return `"${text}"`;
};

/** Bytes one by one, as iasl lists buffers. */
export const byteDigits = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => BYTE_DIGITS[byte]!).join(" ");

const widthOf = (kind: Kind): number =>
  kind.startsWith("u") ? Number(kind.slice(1)) / 8 : Number(kind.slice(kind.indexOf(":") + 1));

/** Bits of a field of up to 4 bytes. */
const bitDigits = (bytes: Uint8Array, at: number, width: number, [, high, low]: BitLabel): string => {
  let word = 0;
  for (let i = width - 1; i >= 0; i--) word = word * 256 + bytes[at + i]!;
  const count = high - low + 1;
  const part = Math.floor(word / 2 ** low) % 2 ** count;
  return part
    .toString(16)
    .toUpperCase()
    .padStart(Math.ceil(count / 4), "0");
};

/** How each field is listed, worked out once for a structure. */
interface FieldPlan {
  readonly offset: number;
  readonly bytes: number;
  readonly label: string;
  readonly bits: readonly BitLabel[];
  readonly text: (bytes: Uint8Array, at: number, width: number) => string;
}

const bufferDigits = (bytes: Uint8Array, at: number, width: number): string =>
  byteDigits(bytes.subarray(at, at + width));

const planOf = (label: FieldLabel, offset: number, kind: Kind): FieldPlan => {
  const bytes = widthOf(kind);
  const bits = typeof label === "string" ? [] : label[1];
  assert(bits.length === 0 || bytes <= 4, "bits are those of a field of up to 4 bytes");
  const text = kind.startsWith("u") ? numberDigits : kind.startsWith("ascii:") ? quoted : bufferDigits;
  return { offset, bytes, label: typeof label === "string" ? label : label[0], bits, text };
};

/** Lists one structure that lies whole at `at`; offsets of the rows count from byte 0. */
export type RowReader = (bytes: Uint8Array, at: number) => TableRow[];

/** Makes the reader of a structure's rows. */
export const rowReader = <L extends Layout>({ layout, size }: Struct<L>, labels: Labels<L>): RowReader => {
  const plans = Object.entries(layout).map(([name, [offset, kind]]) => planOf(labels[name]!, offset, kind));
  return (bytes, at) => {
    assert(at + size <= bytes.length, "the structure lies whole in the bytes");
    const rows: TableRow[] = [];
    for (const plan of plans) {
      const offset = at + plan.offset;
      rows.push({
        offset,
        bytes: plan.bytes,
        label: plan.label,
        value: plan.text(bytes, offset, plan.bytes),
      });
      for (const bit of plan.bits)
        rows.push({ offset, bytes: 0, label: bit[0], value: bitDigits(bytes, offset, plan.bytes, bit) });
    }
    return rows;
  };
};

/** Rows of numbers that follow one another under one name. */
export const listRows = (
  label: string,
  kind: "u16" | "u32" | "u64",
  bytes: Uint8Array,
  at: number,
  count: number,
): TableRow[] => {
  const width = widthOf(kind);
  return Array.from({ length: count }, (_, i) => {
    const offset = at + i * width;
    return { offset, bytes: width, label, value: numberDigits(bytes, offset, width) };
  });
};

/** Bytes without a name, sixteen a row. */
export const rawRows = (label: string, bytes: Uint8Array, start: number, end: number): TableRow[] => {
  const rows: TableRow[] = [];
  for (let at = start; at < end; at += 16) {
    const part = bytes.subarray(at, Math.min(at + 16, end));
    rows.push({ offset: at, bytes: part.length, label, value: byteDigits(part) });
  }
  return rows;
};
