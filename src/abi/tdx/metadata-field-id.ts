import { word } from "../word.ts";

/**
 * Identifier of a metadata field element.
 *
 * Reading one element the module looks at `classCode` and `fieldCode` only, and refuses a set reserved bit,
 * `lastElement` or `lastField`; size, increment, write-mask, context and bit 63 do not matter.
 *
 * @source TDX module ABI, MD_FIELD_ID
 */
export const MD_FIELD_ID = word({
  fieldCode: [23, 0],
  elementSize: [33, 32], // 0: 8, 1: 16, 2: 32, 3: 64 bits
  lastElement: [37, 34],
  lastField: [46, 38],
  increment: [50, 50],
  writeMaskValid: [51, 51],
  context: [54, 52],
  classCode: [61, 56],
  nonArchitectural: [63, 63],
});
export const MD_CONTEXT = { SYS: 0, TD: 1, VP: 2 } as const;

/** A read mask for the whole field. */
export const ALL = 0xffff_ffff_ffff_ffffn;

/** One row of a field table. Codes of the elements of `fields` fields of `elements` elements each follow on. */
export interface FieldRow {
  readonly id: bigint;
  readonly fields?: number;
  readonly elements?: number;
  readonly read?: bigint;
  readonly write?: bigint;
}

/** One element of one field. */
export interface FieldElement<Name extends string> {
  readonly name: Name;
  /** Number of the element among all elements of the row. */
  readonly element: number;
  /** Full identifier, as the module reports it. */
  readonly id: bigint;
  readonly bits: 8 | 16 | 32 | 64;
  /** Guest's read mask, cut to the element's width. */
  readonly read: bigint;
  readonly write: bigint;
}

const SIZES = [8, 16, 32, 64] as const;
const CONTEXT_MASK = 7n << 52n;
const NULL_ID = (1n << 64n) - 1n;

/** "No such field": asks for the first one, or says that there is no next. */
export const NO_FIELD_ID = NULL_ID;
/** Whether an identifier asks for the first field of its context; the context bits do not matter. */
export const isNullFieldId = (id: bigint): boolean => (id | CONTEXT_MASK) === NULL_ID;

/** Whether an identifier may name a single element: reserved, last-element and last-field bits are zero. */
export const isSingleElementId = (id: bigint): boolean => {
  const { lastElement, lastField } = MD_FIELD_ID.decode(id);
  return (id & MD_FIELD_ID.reserved) === 0n && lastElement === 0n && lastField === 0n;
};

interface TableRow<Name extends string> extends FieldRow {
  readonly name: Name;
  readonly count: number;
  readonly classCode: number;
  readonly fieldCode: number;
}

/** The two parts of an identifier that find an element, as numbers: a table is gone through for every read. */
const keyOf = (id: bigint): { readonly classCode: number; readonly fieldCode: number } => {
  const { classCode, fieldCode } = MD_FIELD_ID.decode(id);
  return { classCode: Number(classCode), fieldCode: Number(fieldCode) };
};

/** A table of fields, for lookups by identifier and for "next". */
export class FieldTable<Name extends string> {
  private readonly rows: readonly TableRow<Name>[];

  constructor(table: Readonly<Record<Name, FieldRow>>) {
    this.rows = (Object.entries(table) as [Name, FieldRow][]).map(([name, row]) => ({
      ...row,
      name,
      count: (row.fields ?? 1) * (row.elements ?? 1),
      ...keyOf(row.id),
    }));
  }

  /** The element that an identifier names, or undefined. */
  find(id: bigint): FieldElement<Name> | undefined {
    const { classCode, fieldCode } = keyOf(id);
    for (const row of this.rows) {
      const element = fieldCode - row.fieldCode;
      if (row.classCode === classCode && 0 <= element && element < row.count) return elementOf(row, element);
    }
    return undefined;
  }

  /**
   * The element after `id` (which names an element) that the guest may read, or the host, which reads every field; the
   * first one without `id`; NO_FIELD_ID at the end.
   */
  nextReadable(id: bigint | undefined, reader: "guest" | "host" = "guest"): bigint {
    const here = id === undefined ? undefined : this.find(id);
    let passed = here === undefined;
    for (const row of this.rows) {
      for (let element = 0; element < row.count; element++) {
        if (passed && (reader === "host" || (row.read ?? 0n) !== 0n)) return row.id + BigInt(element);
        if (here?.name === row.name && here.element === element) passed = true;
        else if (!passed && here?.name !== row.name) break;
      }
    }
    return NO_FIELD_ID;
  }
}

const elementOf = <Name extends string>(row: TableRow<Name>, element: number): FieldElement<Name> => {
  const bits = SIZES[Number(MD_FIELD_ID.decode(row.id).elementSize)]!;
  const width = (1n << BigInt(bits)) - 1n;
  return {
    name: row.name,
    element,
    id: row.id + BigInt(element),
    bits,
    read: (row.read ?? 0n) & width,
    write: (row.write ?? 0n) & width,
  };
};
