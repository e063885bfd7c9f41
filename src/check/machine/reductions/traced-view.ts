import { assert } from "../../../assert.ts";
import type { AccessTrace } from "./access-trace.ts";

export type Row = Uint8Array | Uint16Array | Uint32Array | Int8Array | Int16Array | Int32Array | Float64Array;

export const isRow = (value: unknown): value is Row => ArrayBuffer.isView(value) && "length" in value;

const isIndex = (name: string): boolean => {
  const first = name.charCodeAt(0);
  return 48 <= first && first <= 57;
};

/** Where `fill` and its like begin or end, of a number that may count from behind. */
const place = (at: unknown, length: number, otherwise: number): number => {
  if (typeof at !== "number") return otherwise;
  return at < 0 ? Math.max(0, length + at) : Math.min(at, length);
};

/** What stands in for an array: it does what the array does, and notes each element that is read or written. */
class TracedRow implements ProxyHandler<Row> {
  private readonly row: Row;
  private readonly trace: AccessTrace;
  private readonly methods = new Map<string, unknown>();

  constructor(row: Row, trace: AccessTrace) {
    this.row = row;
    this.trace = trace;
  }

  get(row: Row, name: string | symbol): unknown {
    const { trace } = this;
    if (typeof name === "string" && isIndex(name)) {
      const index = Number(name);
      if (trace.on && index < row.length) this.read(index, index + 1);
      return row[index];
    }
    const value: unknown = Reflect.get(row, name, row);
    if (typeof value !== "function") {
      // Whoever takes the memory itself may do whatever it likes with this part of it.
      if (name === "buffer" && trace.on) this.readAndWrite(0, row.length);
      return value;
    }
    if (typeof name === "symbol") return this.whole(value);
    const known = this.methods.get(name) ?? this.method(name, value);
    this.methods.set(name, known);
    return known;
  }

  set(row: Row, name: string | symbol, value: unknown): boolean {
    assert(typeof name === "string" && typeof value === "number", "an element is set to a number");
    const index = Number(name);
    if (this.trace.on && index < row.length) this.write(index, index + 1);
    row[index] = value;
    return true;
  }

  private read(from: number, to: number): void {
    const { byteOffset, BYTES_PER_ELEMENT: size } = this.row;
    for (let at = from; at < to; at++) this.trace.read(byteOffset + at * size, size);
  }

  private write(from: number, to: number): void {
    const { byteOffset, BYTES_PER_ELEMENT: size } = this.row;
    for (let at = from; at < to; at++) this.trace.write(byteOffset + at * size, size);
  }

  private readAndWrite(from: number, to: number): void {
    this.read(from, to);
    this.write(from, to);
  }

  private method(name: string, does: unknown): unknown {
    const { row, trace } = this;
    if (name === "subarray") return (from?: number, to?: number) => traced(row.subarray(from, to), trace);
    if (name === "fill")
      return (value: number, from?: number, to?: number) => {
        if (trace.on) this.write(place(from, row.length, 0), place(to, row.length, row.length));
        return row.fill(value, from, to);
      };
    if (name === "set")
      return (values: ArrayLike<number>, at = 0) => {
        // Read one by one: they may be traced as well.
        const copy = Array.from(values);
        if (trace.on) this.write(at, at + copy.length);
        row.set(copy, at);
      };
    return this.whole(does);
  }

  /** A method that may look at all elements, and change them. */
  private whole(does: unknown): unknown {
    assert(typeof does === "function", "a method of an array is a function");
    return (...values: unknown[]): unknown => {
      if (this.trace.on) this.readAndWrite(0, this.row.length);
      return Reflect.apply(does, this.row, values);
    };
  }
}

/** The same array, with all that is read and written noted. */
export const traced = (row: Row, trace: AccessTrace): Row => new Proxy(row, new TracedRow(row, trace));
