import type { KallsymsAddresses } from "../kallsyms-addresses.ts";

export interface TinySymbol {
  readonly type: string;
  readonly name: string;
  /** Offset from the base, or the value itself if `absolute`. */
  readonly value: number;
  readonly absolute?: boolean;
}

/** Tokens besides the 256 that stand for their own byte; these codes occur in no name. */
const LONG_TOKENS: Readonly<Record<number, string>> = { 1: "accept_", 2: "memory", 3: "__", 200: "init" };

const tokens = Array.from(
  { length: 256 },
  (_, code) => LONG_TOKENS[code] ?? (code < 32 ? "" : String.fromCharCode(code)),
);

const compressed = (text: string): number[] => {
  const codes: number[] = [];
  for (let at = 0; at < text.length; ) {
    const long = Object.entries(LONG_TOKENS).find(([, token]) => text.startsWith(token, at));
    codes.push(long === undefined ? text.charCodeAt(at) : Number(long[0]));
    at += long === undefined ? 1 : long[1].length;
  }
  return codes;
};

class Writer {
  readonly bytes: number[] = [];
  readonly alignment: number;
  constructor(alignment: number) {
    this.alignment = alignment;
  }
  align(to = this.alignment): number {
    while (this.bytes.length % to !== 0) this.bytes.push(0);
    return this.bytes.length;
  }
  word(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.bytes.push((value >> shift) & 0xff);
  }
  address(value: bigint): void {
    this.word(Number(BigInt.asIntN(32, value)));
    this.word(Number(BigInt.asIntN(32, value >> 32n)));
  }
}

const putNames = (out: Writer, symbols: readonly TinySymbol[], seqs: boolean): void => {
  out.align();
  out.word(symbols.length);
  const start = out.align();
  const markers: number[] = [];
  symbols.forEach(({ type, name }, n) => {
    if (n % 256 === 0) markers.push(out.bytes.length - start);
    const codes = compressed(type + name);
    if (codes.length >= 128) out.bytes.push((codes.length & 0x7f) | 0x80, codes.length >> 7);
    else out.bytes.push(codes.length);
    out.bytes.push(...codes);
  });
  out.align();
  for (const marker of markers) out.word(marker);
  if (seqs) for (let n = 0; n < symbols.length; n++) out.bytes.push(n >> 16, (n >> 8) & 0xff, n & 0xff);
};

const putTokens = (out: Writer): void => {
  out.align();
  const index: number[] = [];
  const start = out.bytes.length;
  for (const token of tokens) {
    index.push(out.bytes.length - start);
    out.bytes.push(...Buffer.from(token, "latin1"), 0);
  }
  out.align();
  for (const at of index) out.bytes.push(at & 0xff, at >> 8);
};

const putOffsets = (out: Writer, symbols: readonly TinySymbol[], base: bigint): void => {
  out.align();
  for (const { value, absolute } of symbols) out.word(absolute ? value : -1 - value);
  out.align(8);
  out.address(base);
};

/**
 * The symbol list as the kernel's build writes it into read-only data that starts at `address`.
 *
 * @param symbols absolute ones first, then by value
 */
export const encodeKallsyms = (
  symbols: readonly TinySymbol[],
  layout: KallsymsAddresses["layout"],
  { base, address }: { base: bigint; address: bigint },
): Uint8Array => {
  const out = new Writer(layout === "place-relative" ? 4 : 8);
  for (let n = 0; n < 64; n++) out.bytes.push(0xa5);
  if (layout === "offsets before names") putOffsets(out, symbols, base);
  putNames(out, symbols, layout === "offsets before names");
  putTokens(out);
  if (layout === "offsets after names") putOffsets(out, symbols, base);
  if (layout === "place-relative") {
    out.align();
    for (const { value } of symbols)
      out.word(Number(base + BigInt(value) - address - BigInt(out.bytes.length)));
  }
  out.align();
  for (let n = 0; n < 64; n++) out.bytes.push(0x5a);
  return Uint8Array.from(out.bytes);
};
