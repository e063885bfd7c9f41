import {
  ADD,
  AND,
  add,
  block,
  branch,
  branchIf,
  type Code,
  constant,
  get,
  I32,
  I64,
  LONG_MULTIPLY,
  LONG_OF,
  LONG_SHIFT_RIGHT,
  LONG_XOR,
  load,
  loadLong,
  loadVector,
  longConstant,
  moduleOf,
  NOT_BELOW,
  OR,
  SELECT,
  SHIFT_LEFT,
  SHIFT_RIGHT,
  set,
  store,
  storeAt,
  storeLong,
  storeVector,
  VECTOR,
  VECTOR_ANY,
  VECTOR_DIFFER,
  VECTOR_OF,
  VECTOR_OR,
  VECTOR_XOR,
  type WasmFunction,
  when,
  whileBelow,
} from "./assembler.ts";
import { HASH, LINE_BYTES, LINE_WORDS, ROW_BYTES } from "./line.ts";
import { LINE_SHIFT, ONE_FILLED } from "./saved-state.ts";

/** What differs between a line and the line of a copy that begins so many bytes on. */
const difference = (line: number, copy: number, begin: number): Code =>
  [0, 16].flatMap((at) => [
    ...[...loadVector(line, at), ...loadVector(copy, begin + at), ...VECTOR_XOR],
    ...(at > 0 ? VECTOR_OR : []),
  ]);

/** Lines that are compared at once: mostly all of them agree. */
const AT_ONCE = [0, 1, 2, 3];

const compare = ((): WasmFunction => {
  const [ROWS, END, COPY, NUMBER, LIST, PLACE] = [0, 1, 2, 3, 4, 5];
  /** What differs in the line that is so many lines on. */
  const differs = (line: number): Code => [
    ...[...load(ROWS, line * ROW_BYTES), ...set(PLACE)],
    ...difference(PLACE, COPY, line * LINE_BYTES),
  ];
  const one = (line: number): Code => [
    ...[...differs(line), ...VECTOR_ANY],
    ...when([...get(LIST), ...get(NUMBER), ...constant(line), ADD, ...store, ...add(LIST, 4)]),
  ];
  const pass = (lines: number): Code => [
    ...[...add(ROWS, lines * ROW_BYTES), ...add(COPY, lines * LINE_BYTES)],
    ...add(NUMBER, lines),
  ];
  const several = block([
    ...[...get(ROWS), ...constant((AT_ONCE.length - 1) * ROW_BYTES), ADD, ...get(END), NOT_BELOW],
    ...branchIf(0),
    ...AT_ONCE.flatMap((line) => [...differs(line), ...(line > 0 ? VECTOR_OR : [])]),
    ...[...VECTOR_ANY, ...when(AT_ONCE.flatMap(one))],
    ...[...pass(AT_ONCE.length), ...branch(1)],
  ]);
  const body = [...whileBelow(ROWS, END, [...several, ...one(0), ...pass(1)]), ...get(LIST)];
  return { name: "compare", parameters: 5, answers: true, locals: [[1, I32]], body };
})();

/** The number of the list's next line, and its row. */
const nextRow = (list: number, number: number, rows: number, row: number): Code => [
  ...[...load(list, 0), ...set(number), ...add(list, 4)],
  ...[...get(rows), ...get(number), ...constant(Math.log2(ROW_BYTES)), SHIFT_LEFT, ADD, ...set(row)],
];
/** Where a line lies in a copy. */
const copyOf = (copy: number, number: number): Code => [
  ...[...get(copy), ...get(number), ...constant(Math.log2(LINE_BYTES)), SHIFT_LEFT, ADD],
];

const hash = ((): WasmFunction => {
  const [LIST, END, ROWS, COPY, SUM, KINDS, NUMBER, ROW, PLACE, H] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const times = (factor: bigint): Code => [...get(H), ...longConstant(factor), LONG_MULTIPLY, ...set(H)];
  const fold = (bits: number): Code => [
    ...[...get(H), ...get(H), ...longConstant(BigInt(bits)), LONG_SHIFT_RIGHT, LONG_XOR, ...set(H)],
  ];
  const take = (offset: number): Code => [
    ...[...get(H), ...loadLong(PLACE, offset), LONG_XOR, ...set(H)],
    ...[...times(HASH.word), ...fold(32)],
  ];
  /** The hash of the line at a place into the sum. */
  const line = (place: Code): Code => [
    ...[...place, ...set(PLACE)],
    ...[...get(NUMBER), LONG_OF, ...longConstant(HASH.line), LONG_MULTIPLY, ...set(H)],
    ...[...take(0), ...take(8), ...take(16), ...take(24)],
    ...[...times(HASH.first), ...fold(29), ...times(HASH.second), ...fold(32)],
    ...[...get(SUM), ...get(SUM), 0x29, 2, 0, ...get(H), LONG_XOR, ...storeLong],
  ];
  const body = whileBelow(LIST, END, [
    ...nextRow(LIST, NUMBER, ROWS, ROW),
    ...[...load(ROW, 4), ...get(KINDS), AND],
    ...when([...line(load(ROW, 0)), ...line(copyOf(COPY, NUMBER))]),
  ]);
  const locals = [
    [3, I32],
    [1, I64],
  ] as const;
  return { name: "hash", parameters: 6, answers: false, locals, body };
})();

const putBack = ((): WasmFunction => {
  const [LIST, END, ROWS, COPY, NUMBER, ROW, PLACE, FROM] = [0, 1, 2, 3, 4, 5, 6, 7];
  const body = whileBelow(LIST, END, [
    ...nextRow(LIST, NUMBER, ROWS, ROW),
    ...[...load(ROW, 0), ...set(PLACE), ...copyOf(COPY, NUMBER), ...set(FROM)],
    ...[...get(PLACE), ...loadVector(FROM, 0), ...storeVector(0)],
    ...[...get(PLACE), ...loadVector(FROM, 16), ...storeVector(16)],
  ]);
  return { name: "putBack", parameters: 4, answers: false, locals: [[4, I32]], body };
})();

const WORDS = Array.from({ length: LINE_WORDS }, (_, word) => word);
/** Adds four to a local if a word's bit of the mask is set. */
const passIf = (local: number, mask: number, word: number): Code => [
  ...[...get(local), ...get(mask), ...constant(word), SHIFT_RIGHT, ...constant(1), AND],
  ...[...constant(2), SHIFT_LEFT, ADD, ...set(local)],
];

/** Locals of `write`. */
const WRITE = {
  LIST: 0,
  END: 1,
  ROWS: 2,
  COPY: 3,
  OUT: 4,
  NUMBER: 5,
  ROW: 6,
  PLACE: 7,
  THERE: 8,
  MASK: 9,
} as const;
const [LOW, HIGH] = [10, 11];

/** Writes the block of a line that differs in the words of a mask. */
const writtenBlock = ((): Code => {
  const { OUT, NUMBER, PLACE, MASK } = WRITE;
  const header = (flags: Code): Code => [
    ...[...get(OUT), ...get(NUMBER), ...constant(LINE_SHIFT), SHIFT_LEFT, ...flags, OR, ...store],
    ...add(OUT, 4),
  ];
  const isMixed = [LOW, HIGH].flatMap((half) => [
    ...[...load(PLACE, 0), ...VECTOR_OF, ...get(half), ...VECTOR_XOR],
    ...(half === HIGH ? VECTOR_OR : []),
  ]);
  const words = WORDS.flatMap((word) => [
    ...[...get(OUT), ...load(PLACE, 4 * word), ...store],
    ...passIf(OUT, MASK, word),
  ]);
  const filled = [...header(constant(ONE_FILLED)), ...get(OUT), ...load(PLACE, 0), ...store, ...add(OUT, 4)];
  return [...isMixed, ...VECTOR_ANY, ...when([...header(get(MASK)), ...words], filled)];
})();

const write = ((): WasmFunction => {
  const { LIST, END, ROWS, COPY, OUT, NUMBER, ROW, PLACE, THERE, MASK } = WRITE;
  const body = whileBelow(LIST, END, [
    ...nextRow(LIST, NUMBER, ROWS, ROW),
    ...[...load(ROW, 0), ...set(PLACE), ...copyOf(COPY, NUMBER), ...set(THERE)],
    ...[...loadVector(PLACE, 0), ...set(LOW), ...loadVector(PLACE, 16), ...set(HIGH)],
    ...[...get(LOW), ...loadVector(THERE, 0), ...VECTOR_DIFFER],
    ...[...get(HIGH), ...loadVector(THERE, 16), ...VECTOR_DIFFER],
    ...[...constant(4), SHIFT_LEFT, OR, ...set(MASK), ...get(MASK)],
    ...when([
      ...[...get(THERE), ...get(LOW), ...storeVector(0), ...get(THERE), ...get(HIGH), ...storeVector(16)],
      ...writtenBlock,
    ]),
  ]);
  const locals = [
    [5, I32],
    [2, VECTOR],
  ] as const;
  return { name: "write", parameters: 5, answers: true, locals, body: [...body, ...get(OUT)] };
})();

const read = ((): WasmFunction => {
  const [BLOCKS, END, COPY, LIST, NUMBER, THERE, MASK] = [0, 1, 2, 3, 4, 5, 6];
  const words = WORDS.flatMap((word) => [
    ...[...get(THERE), ...load(BLOCKS, 0), ...load(THERE, 4 * word)],
    ...[...get(MASK), ...constant(1 << word), AND, SELECT, ...storeAt(4 * word)],
    ...passIf(BLOCKS, MASK, word),
  ]);
  const filled = [
    ...[...get(THERE), ...load(BLOCKS, 0), ...VECTOR_OF, ...storeVector(0)],
    ...[...get(THERE), ...load(BLOCKS, 0), ...VECTOR_OF, ...storeVector(16)],
    ...add(BLOCKS, 4),
  ];
  const body = whileBelow(BLOCKS, END, [
    ...[...load(BLOCKS, 0), ...set(MASK), ...add(BLOCKS, 4)],
    ...[...get(MASK), ...constant(LINE_SHIFT), SHIFT_RIGHT, ...set(NUMBER)],
    ...[...copyOf(COPY, NUMBER), ...set(THERE), ...get(LIST), ...get(NUMBER), ...store, ...add(LIST, 4)],
    ...[...get(MASK), ...constant(ONE_FILLED), AND, ...when(filled, words)],
  ]);
  return { name: "read", parameters: 4, answers: true, locals: [[3, I32]], body: [...body, ...get(LIST)] };
})();

/** What is done with lines, as a module of WebAssembly. */
export const LINE_CODE: Uint8Array = moduleOf([compare, hash, putBack, write, read]);
