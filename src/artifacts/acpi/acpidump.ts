import { type LineContext, type LineReader, placeOf, unquoted } from "../text/line-reader.ts";
import { readAcpiTable } from "./table-facts.ts";

const HEAD = /^([A-Z0-9_]{4}|RSD PTR) @ 0x[0-9A-Fa-f]{1,16}\s*$/;
const ROW = /^\s*([0-9A-Fa-f]{4,8}): ((?:[0-9A-Fa-f]{2} ?){1,16})(?: |$)/;
/** Bytes of one table; more are not kept. */
const LARGEST_TABLE = 2 ** 20;

/** The bytes of a row, if it stands where the rows before it end. */
export const hexRow = (
  text: string,
): { readonly offset: number; readonly bytes: readonly number[] } | undefined => {
  const match = ROW.exec(text);
  if (match === null) return undefined;
  const bytes = match[2]!
    .trim()
    .split(/ +/)
    .map((digits) => Number.parseInt(digits, 16));
  return { offset: Number.parseInt(match[1]!, 16), bytes };
};

/** The text that acpidump prints, with one table or many. */
export class Acpidump implements LineReader {
  readonly kind = "acpidump text";
  readonly absent = 'no heading such as "SRAT @ 0x0000000000000000" of acpidump';
  readonly literals = [" @ 0x"];
  private table: { readonly name: string; readonly line: number } | undefined;
  private bytes: number[] = [];
  private count = 0;

  line(text: string, context: LineContext): void {
    const body = unquoted(text);
    const row = this.table === undefined ? undefined : hexRow(body);
    if (row !== undefined) {
      if (row.offset === this.bytes.length && this.bytes.length < LARGEST_TABLE)
        this.bytes.push(...row.bytes);
      else this.gap(row.offset, context);
      return;
    }
    const head = HEAD.exec(body);
    if (head === null && body.trim() !== "" && this.table !== undefined && this.bytes.length === 0) return;
    this.end(context);
    if (head !== null) this.table = { name: head[1]!, line: context.line };
  }

  isOpen(): boolean {
    return this.table !== undefined;
  }

  end(context: LineContext): void {
    const { table, bytes } = this;
    this.table = undefined;
    this.bytes = [];
    if (table === undefined || bytes.length === 0) return;
    const at = { ...placeOf(context), line: table.line };
    this.count++;
    if (table.name === "FACS" || table.name === "RSD PTR") return;
    const length = readAcpiTable(Uint8Array.from(bytes), at, context.sink);
    if (length === undefined)
      context.sink.trouble("error", at, `the header of ${table.name}`, `${bytes.length} bytes`);
  }

  found(): number {
    return this.count;
  }

  private gap(offset: number, context: LineContext): void {
    const expected = `the row of byte 0x${this.bytes.length.toString(16)}`;
    context.sink.trouble("error", placeOf(context), expected, `that of byte 0x${offset.toString(16)}`);
    this.end(context);
  }
}
