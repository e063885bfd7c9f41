import type { SymbolPlace, SymbolTable } from "./symbol-table.ts";

export interface NamedAddress {
  readonly name: string;
  readonly address: bigint;
}

/** Behind its last symbol a module may go on for a function's length. */
const BEHIND_LAST = 0x1_0000n;

/** A symbol table made of a list, for modules: hundreds of symbols, not a hundred thousand. */
export class SortedSymbols implements SymbolTable {
  readonly #symbols: readonly NamedAddress[];
  readonly #byName = new Map<string, bigint[]>();

  constructor(symbols: readonly NamedAddress[]) {
    this.#symbols = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    for (const { name, address } of this.#symbols) {
      const addresses = this.#byName.get(name);
      if (addresses === undefined) this.#byName.set(name, [address]);
      else addresses.push(address);
    }
  }

  get count(): number {
    return this.#symbols.length;
  }

  addressOf(name: string): bigint | undefined {
    return this.#byName.get(name)?.[0];
  }

  all(name: string): bigint[] {
    return [...(this.#byName.get(name) ?? [])];
  }

  /** Number of symbols at or before an address. */
  #upTo(address: bigint): number {
    let low = 0;
    let high = this.#symbols.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#symbols[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  nearest(address: bigint): SymbolPlace | undefined {
    const last = this.#symbols[this.#upTo(address) - 1];
    if (last === undefined) return undefined;
    const offset = address - last.address;
    if (last === this.#symbols.at(-1) && offset >= BEHIND_LAST) return undefined;
    const first = this.#symbols[this.#upTo(last.address - 1n)] ?? last;
    return { name: first.name, offset: Number(offset) };
  }

  next(address: bigint): bigint | undefined {
    return this.#symbols[this.#upTo(address)]?.address;
  }

  /** Every symbol, by address. */
  *[Symbol.iterator](): Generator<NamedAddress> {
    yield* this.#symbols;
  }
}
