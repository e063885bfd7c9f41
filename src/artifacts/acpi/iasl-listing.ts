import { type LineContext, type LineReader, placeOf, unquoted } from "../text/line-reader.ts";
import { hexRow } from "./acpidump.ts";
import { readAcpiTable } from "./table-facts.ts";

const FIELD = /^\s*\[(?:0x)?([0-9A-Fa-f]+)h? +(\d+) +(\d+|[0-9A-Fa-f]+h)\] +(.+?) : (.*)$/;
const RAW = /^\s*Raw Table Data/;
const LARGEST_TABLE = 2 ** 20;
const LARGEST_FIELD = 2 ** 16;

interface ListedField {
  readonly offset: number;
  readonly size: number;
  readonly label: string;
  readonly value: string;
}

/** One field as iasl lists it; undefined for a line that is none. */
export const listedField = (text: string): ListedField | undefined => {
  const match = FIELD.exec(text);
  if (match === null) return undefined;
  const [, , offset, size, label, value] = match;
  const bytes = size!.endsWith("h") ? Number.parseInt(size!, 16) : Number(size);
  return { offset: Number(offset), size: bytes, label: label!.trim(), value: value!.trim() };
};

/** The bytes of a field from its value: text in quotes, bytes one by one, or one little-endian number. */
export const fieldBytes = ({ size, value }: ListedField): number[] | undefined => {
  if (size > LARGEST_FIELD) return undefined;
  const text = /^"([^"]*)"/.exec(value);
  if (text !== null) {
    const codes = Array.from(text[1]!, (char) => char.charCodeAt(0) & 0xff);
    return Array.from({ length: size }, (_, i) => codes[i] ?? 0);
  }
  const each = /^(?:[0-9A-Fa-f]{2} )+[0-9A-Fa-f]{2}\b/.exec(value)?.[0].split(" ");
  if (each !== undefined && each.length === size) return each.map((digits) => Number.parseInt(digits, 16));
  const digits = /^[0-9A-Fa-f]+/.exec(value)?.[0];
  if (digits === undefined || digits.length !== 2 * size) return undefined;
  return Array.from({ length: size }, (_, i) =>
    Number.parseInt(digits.slice(2 * (size - 1 - i), 2 * (size - i)), 16),
  );
};

/**
 * The listing that `iasl -d` makes of a data table. Its raw data at the end, if it is there, is the table; otherwise the
 * fields are put together again.
 */
export class IaslListing implements LineReader {
  readonly kind = "iasl listing";
  readonly absent = 'no field such as "[000h 0000   4] Signature" of iasl -d';
  readonly literals = ["Signature : "];
  private startLine = 0;
  private fields: number[] = [];
  private raw: number[] | undefined;
  private open = false;
  private count = 0;

  line(text: string, context: LineContext): void {
    const body = unquoted(text);
    const field = listedField(body);
    if (field !== undefined) {
      if (field.label === "Signature") {
        this.end(context);
        this.open = true;
        this.startLine = context.line;
      }
      if (this.open && this.raw === undefined) this.put(field);
      return;
    }
    if (!this.open) return;
    if (RAW.test(body)) this.raw = [];
    else if (this.raw !== undefined) this.rawLine(body, context);
  }

  isOpen(): boolean {
    return this.open;
  }

  end(context: LineContext): void {
    if (!this.open) return;
    const bytes = this.raw !== undefined && this.raw.length > 0 ? this.raw : this.fields;
    this.open = false;
    this.fields = [];
    this.raw = undefined;
    const at = { ...placeOf(context), line: this.startLine };
    this.count++;
    const length = readAcpiTable(Uint8Array.from(bytes), at, context.sink);
    if (length === undefined)
      context.sink.trouble("error", at, "the header of a table", `${bytes.length} bytes`);
  }

  found(): number {
    return this.count;
  }

  private put(field: ListedField): void {
    const bytes = fieldBytes(field);
    if (bytes === undefined || field.offset > LARGEST_TABLE || field.offset > this.fields.length) return;
    for (const [i, byte] of bytes.entries()) this.fields[field.offset + i] = byte;
  }

  private rawLine(text: string, context: LineContext): void {
    const row = hexRow(text);
    if (row !== undefined && row.offset === this.raw!.length && row.offset < LARGEST_TABLE)
      this.raw!.push(...row.bytes);
    else if (this.raw!.length > 0) this.end(context);
  }
}
