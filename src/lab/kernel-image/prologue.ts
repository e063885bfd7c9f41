/** What may stand at a function's entry and does nothing, by its bytes: how far RIP moves if it is skipped. */
const NO_OPERATION = [
  { what: "endbr64", bytes: [0xf3, 0x0f, 0x1e, 0xfa] },
  { what: "sealed endbr64", bytes: [0x0f, 0x1f, 0x40, 0xd6] },
  { what: "ftrace nop", bytes: [0x0f, 0x1f, 0x44, 0x00, 0x00] },
] as const;
/** call rel32, to __fentry__: the image on disk has it where a running kernel has the ftrace nop. */
const CALL = 0xe8;

export interface Prologue {
  /** True if the function starts with endbr64, sealed or not. */
  readonly endbr: boolean;
  /** Where the 5 bytes are that ftrace owns, from the function's start; undefined if it has none. */
  readonly fentry: number | undefined;
  /** Bytes at the start that may be skipped because they do nothing; 0 if the first instruction counts. */
  readonly skip: number;
}

/** Reads a function's first bytes, from the image or from the guest's memory. */
export const prologueOf = (code: Uint8Array): Prologue => {
  const startsWith = (what: (typeof NO_OPERATION)[number]["what"], at: number): boolean =>
    NO_OPERATION.find((each) => each.what === what)?.bytes.every((byte, n) => code[at + n] === byte) ?? false;
  const endbr = startsWith("endbr64", 0) || startsWith("sealed endbr64", 0);
  const after = endbr ? 4 : 0;
  const nop = startsWith("ftrace nop", after);
  const fentry = nop || code[after] === CALL ? after : undefined;
  return { endbr, fentry, skip: nop ? after + 5 : after };
};
