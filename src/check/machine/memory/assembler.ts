/** Code of WebAssembly, as bytes: the few instructions that are used here. */
export type Code = readonly number[];

export const I32 = 0x7f;
export const I64 = 0x7e;
const EMPTY_BLOCK = 0x40;

/** A whole number as WebAssembly writes constants. */
const signed = (value: bigint): number[] => {
  const low = Number(value & 127n);
  const rest = value >> 7n;
  const ends = (rest === 0n && low < 64) || (rest === -1n && low >= 64);
  return ends ? [low] : [low | 128, ...signed(rest)];
};
/** A length or a number from 0 up. */
const unsigned = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];

export const get = (local: number): Code => [0x20, local];
export const set = (local: number): Code => [0x21, local];
export const constant = (value: number): Code => [0x41, ...signed(BigInt(value))];
export const longConstant = (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))];
export const load = (place: number, offset: number): Code => [...get(place), 0x28, 2, offset];
export const loadLong = (place: number, offset: number): Code => [...get(place), 0x29, 2, offset];
export const loadVector = (place: number, offset: number): Code => [...get(place), 0xfd, 0, 0, offset];
/** Takes a place and a value from the stack. */
export const storeAt = (offset: number): Code => [0x36, 2, offset];
export const store: Code = storeAt(0);
export const storeLong: Code = [0x37, 2, 0];
export const storeVector = (offset: number): Code => [0xfd, 0x0b, 0, offset];

export const VECTOR = 0x7b;

export const ADD = 0x6a;
export const AND = 0x71;
export const OR = 0x72;
export const SHIFT_RIGHT = 0x76;
/** Takes two values and a condition: the first one if it is not zero. */
export const SELECT = 0x1b;
export const SHIFT_LEFT = 0x74;
export const NOT_BELOW = 0x4f;
export const LONG_MULTIPLY = 0x7e;
export const LONG_XOR = 0x85;
export const LONG_SHIFT_RIGHT = 0x88;
export const LONG_OF = 0xad;
/** Four times a number of 32 bits. */
export const VECTOR_OF: Code = [0xfd, 0x11];
/** A number whose four lowest bits say which words of two vectors differ. */
export const VECTOR_DIFFER: Code = [0xfd, 0x38, 0xfd, 0xa4, 1];
export const VECTOR_XOR: Code = [0xfd, 0x51];
export const VECTOR_OR: Code = [0xfd, 0x50];
export const VECTOR_ANY: Code = [0xfd, 0x53];

/** Adds to a local. */
export const add = (local: number, value: number): Code => [
  ...[...get(local), ...constant(value), ADD],
  ...set(local),
];
export const block = (body: Code): Code => [0x02, EMPTY_BLOCK, ...body, 0x0b];
export const loop = (body: Code): Code => [0x03, EMPTY_BLOCK, ...body, 0x0b];
export const when = (body: Code, otherwise: Code = []): Code => [
  ...[0x04, EMPTY_BLOCK, ...body],
  ...(otherwise.length > 0 ? [0x05, ...otherwise] : []),
  0x0b,
];
export const branch = (depth: number): Code => [0x0c, depth];
export const branchIf = (depth: number): Code => [0x0d, depth];
/** Repeats a body while one local is below another. The loop is at depth 0 in the body, its end at depth 1. */
export const whileBelow = (local: number, end: number, body: Code): Code =>
  block(loop([...get(local), ...get(end), NOT_BELOW, ...branchIf(1), ...body, ...branch(0)]));

/** A function of some 32-bit numbers. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: number;
  /** Whether it answers a 32-bit number. */
  readonly answers: boolean;
  /** Locals beside the parameters, by kind, in the order in which they are numbered. */
  readonly locals: readonly (readonly [count: number, kind: number])[];
  readonly body: Code;
}

const text = (name: string): Code => [name.length, ...[...name].map((letter) => letter.charCodeAt(0))];
const section = (id: number, parts: readonly Code[]): Code => {
  const bytes = [...unsigned(parts.length), ...parts.flat()];
  return [id, ...unsigned(bytes.length), ...bytes];
};
const typeOf = ({ parameters, answers }: WasmFunction): Code => [
  ...[0x60, parameters, ...new Array<number>(parameters).fill(I32)],
  ...(answers ? [1, I32] : [0]),
];
const codeOf = ({ locals, body }: WasmFunction): Code => {
  const bytes = [locals.length, ...locals.flat(), ...body, 0x0b];
  return [...unsigned(bytes.length), ...bytes];
};

/** A module that imports the memory `own.memory` and exports some functions. */
export const moduleOf = (functions: readonly WasmFunction[]): Uint8Array =>
  Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, functions.map(typeOf)),
    ...section(2, [[...text("own"), ...text("memory"), 2, 0, 1]]),
    ...section(
      3,
      functions.map((_, index) => [index]),
    ),
    ...section(
      7,
      functions.map(({ name }, index) => [...text(name), 0, index]),
    ),
    ...section(10, functions.map(codeOf)),
  ]);
