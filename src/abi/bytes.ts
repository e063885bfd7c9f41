import { assert } from "../assert.ts";

/**
 * Bytes from outside do not have the form they claim. It names where and what, so that a reader of a
 * table or a firmware author can put a finger on the byte.
 */
export class DecodeError extends Error {
  override name = "DecodeError";
  /** The structure being read, in the words of its specification. */
  readonly what: string;
  /** Byte offset of the trouble, from the start of the bytes that were given. */
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
  constructor(what: string, offset: number, expected: string, found: string) {
    super(`${what}, byte ${offset}: expected ${expected}, found ${found}`);
    this.what = what;
    this.offset = offset;
    this.expected = expected;
    this.found = found;
  }
}

/** What a field holds. Numbers are little-endian and unsigned; `ascii` keeps every byte as one character. */
export type Kind = "u8" | "u16" | "u24" | "u32" | "u64" | `bytes:${number}` | `ascii:${number}`;
type Value<K> = K extends "u64"
  ? bigint
  : K extends `bytes:${string}`
    ? Uint8Array
    : K extends `ascii:${string}`
      ? string
      : number;

/** Where each field of a structure lies: `[byte offset, kind]`, as the manuals print them. */
export type Layout = Readonly<Record<string, readonly [offset: number, kind: Kind]>>;
export type Fields<L extends Layout> = { -readonly [name in keyof L]: Value<L[name][1]> };
export type FieldsOf<S> = S extends Struct<infer L> ? Readonly<Fields<L>> : never;

const WIDTH: { readonly [kind: string]: number } = { u8: 1, u16: 2, u24: 3, u32: 4, u64: 8 };
const widthOf = (kind: Kind): number => WIDTH[kind] ?? Number(kind.slice(kind.indexOf(":") + 1));

const readNumber = (bytes: Uint8Array, at: number, width: number): number => {
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
};

const writeNumber = (bytes: Uint8Array, at: number, width: number, value: number): void => {
  let rest = value;
  for (let i = 0; i < width; i++) {
    bytes[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
};

/** A row of a layout with what is asked of it again and again. */
interface Field {
  readonly name: string;
  readonly offset: number;
  readonly kind: Kind;
  readonly width: number;
  readonly isNumber: boolean;
}

const fieldOf = (name: string, offset: number, kind: Kind): Field => {
  return { name, offset, kind, width: widthOf(kind), isNumber: kind in WIDTH && kind !== "u64" };
};

const readField = (bytes: Uint8Array, at: number, field: Field): number | bigint | string | Uint8Array => {
  const { kind, width } = field;
  if (field.isNumber) return readNumber(bytes, at, width);
  if (kind === "u64") return (BigInt(readNumber(bytes, at + 4, 4)) << 32n) | BigInt(readNumber(bytes, at, 4));
  if (kind.startsWith("bytes:")) return bytes.slice(at, at + width);
  return String.fromCharCode(...bytes.subarray(at, at + width));
};

const writeField = (bytes: Uint8Array, at: number, field: Field, value: unknown): void => {
  const { name, kind, width } = field;
  if (typeof value === "bigint") {
    assert(kind === "u64" && 0n <= value && value < 2n ** 64n, () => `${name} = ${value} fits ${kind}`);
    writeNumber(bytes, at, 4, Number(value & 0xffff_ffffn));
    writeNumber(bytes, at + 4, 4, Number(value >> 32n));
  } else if (typeof value === "number") {
    const fits = Number.isInteger(value) && 0 <= value && value < 2 ** (8 * width);
    assert(fits && field.isNumber, () => `${name} = ${value} fits ${kind}`);
    writeNumber(bytes, at, width, value);
  } else if (typeof value === "string") {
    assert(kind.startsWith("ascii:") && value.length === width, () => `${name} has ${width} characters`);
    for (let i = 0; i < width; i++) bytes[at + i] = value.charCodeAt(i);
  } else {
    assert(value instanceof Uint8Array && value.length === width, () => `${name} has ${width} bytes`);
    bytes.set(value, at);
  }
};

/** A codec for one structure of fixed size. */
export interface Struct<L extends Layout> {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly layout: L;
  /** @throws DecodeError if fewer than `size` bytes lie at `at` */
  decode(bytes: Uint8Array, at?: number): Fields<L>;
  encode(values: Readonly<Fields<L>>): Uint8Array;
  /** One field. @throws DecodeError if the structure does not lie whole at `at` */
  get<N extends keyof L & string>(bytes: Uint8Array, field: N, at?: number): Value<L[N][1]>;
  /** Writes one field in place and leaves the other bytes alone. @throws DecodeError as `get` */
  put<N extends keyof L & string>(bytes: Uint8Array, field: N, value: Value<L[N][1]>, at?: number): void;
}

const checkLayout = (name: string, size: number, layout: Layout, holes: boolean): void => {
  let end = 0;
  const fields = Object.entries(layout).sort(([, [a]], [, [b]]) => a - b);
  for (const [field, [offset, kind]] of fields) {
    assert(offset >= end, () => `${name}.${field} overlaps no field`);
    assert(holes || offset === end, () => `${name} has a name for the bytes before ${field}`);
    end = offset + widthOf(kind);
  }
  assert(holes ? end <= size : end === size, () => `${name} has ${size} bytes`);
};

/**
 * Turns a table of fields into a codec. The table is checked when the module loads.
 *
 * @param holes "holes" where the table leaves bytes out on purpose; otherwise each byte, reserved ones too, has
 *   a name, so that decode and encode together lose nothing
 */
export const struct = <const L extends Layout>(
  name: string,
  size: number,
  layout: L,
  holes?: "holes",
): Struct<L> => {
  checkLayout(name, size, layout, holes === "holes");
  const fields = Object.entries(layout).map(([field, [offset, kind]]) => fieldOf(field, offset, kind));
  const byName = new Map(fields.map((field) => [field.name, field]));
  const demand = (bytes: Uint8Array, at: number): void => {
    const left = bytes.length - at;
    if (left < size) throw new DecodeError(name, at, `${size} bytes`, `${Math.max(left, 0)}`);
  };
  return {
    name,
    size,
    layout,
    decode: (bytes, at = 0) => {
      demand(bytes, at);
      const values: { [field: string]: unknown } = {};
      for (const field of fields) values[field.name] = readField(bytes, at + field.offset, field);
      return values as Fields<L>;
    },
    encode: (values) => {
      const bytes = new Uint8Array(size);
      for (const field of fields) writeField(bytes, field.offset, field, values[field.name]);
      return bytes;
    },
    get: (bytes, name, at = 0) => {
      demand(bytes, at);
      const field = byName.get(name)!;
      return readField(bytes, at + field.offset, field) as Value<L[typeof name][1]>;
    },
    put: (bytes, name, value, at = 0) => {
      demand(bytes, at);
      const field = byName.get(name)!;
      writeField(bytes, at + field.offset, field, value);
    },
  };
};

/** "0x" and at least `digits` lower-case hexadecimal digits. */
export const hex = (value: number | bigint, digits = 1): string =>
  `0x${value.toString(16).padStart(digits, "0")}`;
