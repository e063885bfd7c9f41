/** A line: the bytes that are compared and put back at once. */
export const LINE_BYTES = 32;
export const LINE_WORDS = LINE_BYTES / 4;

/**
 * Compares lines of one memory with a copy of them, which lies in the same memory, one line after the other.
 *
 * All four are places in the memory, in bytes: a table of the lines' places, 32 bits each; its end; the copy; and where the
 * numbers of the lines that differ go, 32 bits each, ascending.
 *
 * @returns how many lines differ
 */
export type CompareLines = (table: number, end: number, copy: number, differing: number) => number;

/** Memory and what compares it. */
export interface ComparableMemory {
  readonly buffer: ArrayBufferLike;
  readonly compare: CompareLines;
}

/** What of WebAssembly is used here; the language's own library does not declare it. */
declare const WebAssembly: {
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly own: { readonly memory: object } },
  ) => { readonly exports: { readonly compare: CompareLines } };
  validate(bytes: Uint8Array): boolean;
};

const PAGE = 65_536;

const I32 = 0x7f;
const NOTHING = 0x40;
const END = 0x0b;
const [TABLE, TABLE_END, COPY, DIFFERING, LINE, NUMBER, BEGIN, NEXT] = [0, 1, 2, 3, 4, 5, 6, 7];

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
/** A number below 8192, as two bytes. */
const constant = (value: number): number[] => [0x41, (value & 127) | 128, value >> 7];
const ADD = 0x6a;
const add = (local: number, value: number): number[] => [
  ...[...get(local), ...constant(value), ADD],
  ...set(local),
];
const load = (local: number, offset: number): number[] => [...get(local), 0x28, 2, offset];
const store = [0x36, 2, 0];
const block = [0x02, NOTHING];
const loop = [0x03, NOTHING];
const when = [0x04, NOTHING];
const branch = (depth: number): number[] => [0x0c, depth];
const branchIf = (depth: number): number[] => [0x0d, depth];
const NOT_BELOW = 0x4f;
const SUBTRACT = 0x6b;
const SHIFT_RIGHT = 0x76;
/** The vector of 16 bytes at a local's place and behind it. */
const vector = (local: number, offset: number): number[] => [...get(local), 0xfd, 0, 0, offset];
const VECTOR_XOR = [0xfd, 0x51];
const VECTOR_OR = [0xfd, 0x50];
const VECTOR_ANY = [0xfd, 0x53];

/** What differs between the line at a local's place and the line of the copy that lies so many bytes on. */
const difference = (line: number, copied: number): number[] => [
  ...[...vector(line, 0), ...vector(COPY, copied), ...VECTOR_XOR],
  ...[...vector(line, 16), ...vector(COPY, copied + 16), ...VECTOR_XOR, ...VECTOR_OR],
];

/** compareSlowly as code of WebAssembly: two vectors a line, and two lines that agree are passed over at once. */
const CODE = [
  ...[1, 4, I32], // four locals beside the arguments
  ...[...get(DIFFERING), ...set(BEGIN)],
  ...[...block, ...loop],
  ...[...get(TABLE), ...get(TABLE_END), NOT_BELOW, ...branchIf(1)],
  ...[...load(TABLE, 0), ...set(LINE)],
  ...block,
  ...[...get(TABLE), ...constant(4), ADD, ...get(TABLE_END), NOT_BELOW, ...branchIf(0)],
  ...[...load(TABLE, 4), ...set(NEXT)],
  ...[...difference(LINE, 0), ...difference(NEXT, LINE_BYTES), ...VECTOR_OR, ...VECTOR_ANY, ...branchIf(0)],
  ...[...add(NUMBER, 2), ...add(TABLE, 8), ...add(COPY, 2 * LINE_BYTES), ...branch(1)],
  END,
  ...[...difference(LINE, 0), ...VECTOR_ANY, ...when],
  ...[...get(DIFFERING), ...get(NUMBER), ...store, ...add(DIFFERING, 4)],
  END,
  ...[...add(NUMBER, 1), ...add(TABLE, 4), ...add(COPY, LINE_BYTES)],
  ...[...branch(0), END, END],
  ...[...get(DIFFERING), ...get(BEGIN), SUBTRACT, ...constant(2), SHIFT_RIGHT],
  END,
];

const text = (name: string): number[] => [name.length, ...[...name].map((letter) => letter.charCodeAt(0))];
/** A number below 2^14, as WebAssembly writes lengths. */
const length = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, value >> 7]);
const section = (id: number, bytes: readonly number[]): number[] => [id, ...length(bytes.length), ...bytes];

const MODULE = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [1, 0x60, 4, I32, I32, I32, I32, 1, I32]),
  ...section(2, [1, ...text("own"), ...text("memory"), 2, 0, 1]),
  ...section(3, [1, 0]),
  ...section(7, [1, ...text("compare"), 0, 0]),
  ...section(10, [1, ...length(CODE.length), ...CODE]),
]);

/** The same without vectors, for a processor that has none; tests hold one against the other. */
const compareSlowly = (buffer: ArrayBufferLike): CompareLines => {
  const words = new Uint32Array(buffer);
  return (table, end, copy, differing) => {
    let count = 0;
    for (let line = 0; line < (end - table) / 4; line++) {
      const there = words[table / 4 + line]! / 4;
      const here = copy / 4 + line * LINE_WORDS;
      let word = 0;
      while (word < LINE_WORDS && words[there + word] === words[here + word]) word++;
      if (word < LINE_WORDS) words[differing / 4 + count++] = line;
    }
    return count;
  };
};

/** Memory of so many bytes or some more, all zero. @param vectors false: compared word by word */
export const comparableMemory = (bytes: number, vectors = true): ComparableMemory => {
  const pages = Math.ceil(bytes / PAGE);
  if (!vectors || typeof WebAssembly === "undefined" || !WebAssembly.validate(MODULE)) {
    const buffer = new ArrayBuffer(pages * PAGE);
    return { buffer, compare: compareSlowly(buffer) };
  }
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(MODULE), { own: { memory } });
  return { buffer: memory.buffer, compare: exports.compare };
};
