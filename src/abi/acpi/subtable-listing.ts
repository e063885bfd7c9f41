import { assert } from "../../assert.ts";
import type { Layout, Struct } from "../bytes.ts";
import { type Diagnosis, tableError } from "./diagnosis.ts";
import { type Labels, rawRows, rowReader, type TableRow } from "./table-rows.ts";

export interface ListedPart {
  readonly rows: readonly TableRow[];
  readonly diagnoses: readonly Diagnosis[];
}

/** One kind of sub-table: its fixed part, and how what follows is listed. */
export interface SubtableKind {
  /** The name of the kind, as iasl gives it. */
  readonly meaning: string;
  /** Bytes of the fixed part. */
  readonly size: number;
  /** Rows of the sub-table in bytes [at, end). */
  rows(bytes: Uint8Array, at: number, end: number): TableRow[];
}

/** The body of a table: a fixed part behind the header, then sub-tables; or a form of its own. */
export interface TableBody {
  readonly title: string;
  /** Rows of the part between the header and the first sub-table. */
  readonly fixed: { readonly size: number; rows(bytes: Uint8Array): TableRow[] };
  readonly kinds: readonly (SubtableKind | undefined)[];
  /** Where a sub-table keeps its type and its length: byte offset and width. */
  readonly type: readonly [offset: number, width: number];
  readonly length: readonly [offset: number, width: number];
  /** Lists a body that is not made of sub-tables. */
  readonly list?: (bytes: Uint8Array) => ListedPart;
}

const TYPE_LABEL = /^(?:Subtable|Structure) Type$/;

/** A kind whose sub-tables are one structure; bytes behind it are listed without names. */
export const structKind = <L extends Layout>(
  meaning: string,
  struct: Struct<L>,
  labels: Labels<L>,
  behind: (bytes: Uint8Array, at: number, end: number) => TableRow[] = (bytes, at, end) =>
    rawRows("Data", bytes, at + struct.size, end),
): SubtableKind => {
  const fixed = rowReader(struct, labels);
  return {
    meaning,
    size: struct.size,
    rows: (bytes, at, end) => {
      const rows = fixed(bytes, at);
      if (TYPE_LABEL.test(rows[0]!.label)) rows[0] = { ...rows[0]!, meaning };
      for (const row of behind(bytes, at, end)) rows.push(row);
      return rows;
    },
  };
};

const littleEndian = (bytes: Uint8Array, at: number, width: number): number => {
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
};

/** What is wrong with the sub-table at `at`, and how long it is. */
const measure = (
  bytes: Uint8Array,
  at: number,
  { type, length, kinds }: TableBody,
): { readonly size: number; readonly kind: SubtableKind | undefined; readonly fault?: Diagnosis } => {
  const left = bytes.length - at;
  const head = Math.max(type[0] + type[1], length[0] + length[1]);
  if (left < head) {
    const fault = tableError(at, `a sub-table of ${head} bytes or more`, `${left} bytes`);
    return { size: left, kind: undefined, fault };
  }
  const kind = kinds[littleEndian(bytes, at + type[0], type[1])];
  const size = littleEndian(bytes, at + length[0], length[1]);
  const least = kind?.size ?? head;
  const where = at + length[0];
  if (size < least)
    return { size, kind, fault: tableError(where, `a length of ${least} or more`, `${size}`) };
  if (size > left) {
    const fault = tableError(where, `a length of at most ${left}, to the table's end`, `${size}`);
    return { size, kind, fault };
  }
  return { size, kind };
};

/** Lists the fixed part and the sub-tables of a table; ends at the first that cannot be right. */
export const listSubtables = (bytes: Uint8Array, body: TableBody): ListedPart => {
  const { fixed } = body;
  assert(body.length[1] <= 4, "a sub-table's length has 4 bytes at most");
  if (bytes.length < fixed.size) {
    return { rows: [], diagnoses: [tableError(4, `a length of ${fixed.size} or more`, `${bytes.length}`)] };
  }
  const rows = fixed.rows(bytes);
  let at = fixed.size;
  while (at < bytes.length) {
    const { size, kind, fault } = measure(bytes, at, body);
    if (fault) {
      for (const row of rawRows("Data", bytes, at, bytes.length)) rows.push(row);
      return { rows, diagnoses: [fault] };
    }
    const listed = kind?.rows(bytes, at, at + size) ?? rawRows("Unknown Subtable", bytes, at, at + size);
    for (const row of listed) rows.push(row);
    at += size;
  }
  return { rows, diagnoses: [] };
};
