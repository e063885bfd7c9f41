import { assert } from "../assert.ts";

/** Bits `[high, low]` of a 64-bit word, both inclusive, as the manuals print them. */
export type Bits = readonly [high: number, low: number];
type Values<L> = { readonly [name in keyof L]: bigint };

/** A codec for one 64-bit word whose fields a table names. */
export interface Word<L> {
  /** Bits that no field covers. What a stray one means is the caller's rule, not the codec's. */
  readonly reserved: bigint;
  /** Asserts that each value fits its field: values are ours, never a guest's. */
  encode(values: Values<L>): bigint;
  /** Total: every 64-bit value decodes, so no guest register can make it throw. */
  decode(raw: bigint): Values<L>;
}

/** Turns a table of fields into a codec for one 64-bit word. The table is checked when the module loads. */
export const word = <const L extends Record<string, Bits>>(layout: L): Word<L> => {
  const fields = Object.entries(layout).map(([name, [high, low]]) => {
    assert(63 >= high && high >= low && low >= 0, () => `${name} lies in a 64-bit word`);
    const max = (1n << BigInt(high - low + 1)) - 1n;
    return { name: name as keyof L & string, low: BigInt(low), max };
  });
  let covered = 0n;
  for (const { name, low, max } of fields) {
    assert((covered & (max << low)) === 0n, () => `${name} overlaps no field`);
    covered |= max << low;
  }
  return {
    reserved: BigInt.asUintN(64, ~covered),
    encode: (values) =>
      fields.reduce((raw, { name, low, max }) => {
        const value = values[name];
        assert(0n <= value && value <= max, () => `${name} = ${value} fits its field`);
        return raw | (value << low);
      }, 0n),
    decode: (raw) => Object.fromEntries(fields.map((f) => [f.name, (raw >> f.low) & f.max])) as Values<L>,
  };
};

/** The word with the bits of one field set, for masks. */
export const bitMask = ([high, low]: Bits): bigint => ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
