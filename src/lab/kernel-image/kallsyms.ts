import type { Elf } from "./elf.ts";
import { addressOfOffset } from "./elf-memory.ts";
import { type KallsymsAddresses, readKallsymsAddresses } from "./kallsyms-addresses.ts";
import { findKallsymsNames, type KallsymsNames } from "./kallsyms-names.ts";
import { NameIndex } from "./name-index.ts";
import type { SymbolPlace, SymbolTable } from "./symbol-table.ts";

/** The kernel's own symbol list as flat arrays, in the order of addresses. */
export interface KallsymsData extends KallsymsAddresses {
  /** Every symbol's type letter and name, Latin-1, one after the other. */
  readonly text: Uint8Array;
  /** Where each symbol's text starts; one more entry marks the end. */
  readonly starts: Uint32Array;
}

/** Texts of the tokens: `bytes` from `starts[code]` to `starts[code] + lengths[code]`. */
const tokenLengths = (bytes: Uint8Array, { tokenTable, tokenIndex }: KallsymsNames): Uint16Array =>
  tokenIndex.map((index) => bytes.indexOf(0, tokenTable + index) - tokenTable - index);

/** Calls `visit` for each symbol with where its codes lie. */
const eachName = (
  bytes: Uint8Array,
  { namesAt, count }: KallsymsNames,
  visit: (n: number, from: number, to: number) => void,
): void => {
  let at = namesAt;
  for (let n = 0; n < count; n++) {
    const low = bytes[at++]!;
    const length = low < 0x80 ? low : (low & 0x7f) | (bytes[at++]! << 7);
    visit(n, at, at + length);
    at += length;
  }
};

const expandNames = (bytes: Uint8Array, names: KallsymsNames): Pick<KallsymsData, "text" | "starts"> => {
  const lengths = tokenLengths(bytes, names);
  const starts = new Uint32Array(names.count + 1);
  eachName(bytes, names, (n, from, to) => {
    let length = 0;
    for (let at = from; at < to; at++) length += lengths[bytes[at]!]!;
    starts[n + 1] = starts[n]! + length;
  });
  const text = new Uint8Array(starts[names.count]!);
  let out = 0;
  eachName(bytes, names, (_, from, to) => {
    for (let at = from; at < to; at++) {
      const code = bytes[at]!;
      let token = names.tokenTable + names.tokenIndex[code]!;
      for (const end = token + lengths[code]!; token < end; ) text[out++] = bytes[token++]!;
    }
  });
  return { text, starts };
};

/**
 * Reads the symbols that a kernel carries for itself (CONFIG_KALLSYMS), which is every function and, with
 * KALLSYMS_ALL, every variable.
 *
 * @param elf a vmlinux, stripped or not
 * @throws DecodeError if there is no list, or it is of an unknown layout
 */
export const readKallsyms = (elf: Elf): KallsymsData => {
  const names = findKallsymsNames(elf.file);
  const addresses = readKallsymsAddresses(elf.file, names, {
    addressOf: (offset) => addressOfOffset(elf, offset),
    startsAt: (address) => elf.segments.some(({ vaddr }) => vaddr === address),
  });
  return { ...addresses, ...expandNames(elf.file, names) };
};

/** What lies behind the last symbol is no longer the kernel; 2 MiB are the rounding of its end. */
const BEHIND_LAST = 2 ** 21;

/** The kernel's symbols, wherever KASLR has put it. Made once; `withBase` shares everything but the base. */
export class Kallsyms implements SymbolTable {
  readonly data: KallsymsData;
  /** Address of the symbol that offsets count from (`_text`) in the running kernel. */
  readonly base: bigint;
  readonly #names: string;
  readonly #byName: NameIndex;
  readonly #firstMoving: number;

  private constructor(data: KallsymsData, base: bigint, shared?: Kallsyms) {
    this.data = data;
    this.base = base;
    this.#names = shared
      ? shared.#names
      : Buffer.from(data.text.buffer, data.text.byteOffset, data.text.length).toString("latin1");
    this.#firstMoving = shared ? shared.#firstMoving : data.absolute.lastIndexOf(1) + 1;
    this.#byName = shared ? shared.#byName : new NameIndex(data);
  }

  /** The symbols at the addresses that the image is linked for. */
  static of(data: KallsymsData): Kallsyms {
    return new Kallsyms(data, data.base);
  }

  /** The same symbols in a kernel whose `_text` lies at `base`. Those that do not move stay. */
  withBase(base: bigint): Kallsyms {
    return new Kallsyms(this.data, base, this);
  }

  get count(): number {
    return this.data.values.length;
  }

  /** The name of the n-th symbol by address. */
  nameAt(n: number): string {
    return this.#names.slice(this.data.starts[n]! + 1, this.data.starts[n + 1]);
  }

  /** The type letter of the n-th symbol, as nm prints it: "T" for a global function. */
  typeAt(n: number): string {
    return this.#names[this.data.starts[n]!] ?? "?";
  }

  addressAt(n: number): bigint {
    const value = BigInt(this.data.values[n]!);
    return this.data.absolute[n] === 1 ? value : this.base + value;
  }

  addressOf(name: string): bigint | undefined {
    const n = this.#byName.find(name);
    return n === undefined ? undefined : this.addressAt(n);
  }

  all(name: string): bigint[] {
    const addresses: bigint[] = [];
    const bytes = Buffer.from(name, "latin1");
    const first = this.#byName.find(name) ?? this.count;
    for (let n = first; n < this.count; n++) if (this.#byName.is(n, bytes)) addresses.push(this.addressAt(n));
    return addresses;
  }

  /** Index of the last symbol that moves and lies at or before `offset` bytes from the base; -1 if none does. */
  #lastUpTo(offset: number): number {
    let low = this.#firstMoving;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.data.values[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low === this.#firstMoving ? -1 : low - 1;
  }

  nearest(address: bigint): SymbolPlace | undefined {
    const offset = Number(address - this.base);
    const last = this.#lastUpTo(offset);
    if (last < 0) return undefined;
    const value = this.data.values[last]!;
    if (last === this.count - 1 && offset - value >= BEHIND_LAST) return undefined;
    let first = last;
    while (first > this.#firstMoving && this.data.values[first - 1] === value) first--;
    return { name: this.nameAt(first), offset: offset - value };
  }

  next(address: bigint): bigint | undefined {
    const n = Math.max(this.#lastUpTo(Number(address - this.base)) + 1, this.#firstMoving);
    return n < this.count ? this.addressAt(n) : undefined;
  }
}
