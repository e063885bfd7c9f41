/** A place in the kernel by the symbol before it. */
export interface SymbolPlace {
  readonly name: string;
  /** Bytes from the symbol. */
  readonly offset: number;
}

/** Names of addresses: the kernel's or a module's. Addresses are those of the running kernel, if its base is known. */
export interface SymbolTable {
  readonly count: number;
  /** The symbol's address, or the first one's if several share the name; undefined if there is none. */
  addressOf(name: string): bigint | undefined;
  /** Addresses of every symbol of this name, ascending. */
  all(name: string): bigint[];
  /** The symbol at or before an address; undefined if the address lies before the first or behind the image. */
  nearest(address: bigint): SymbolPlace | undefined;
  /** The first symbol's address behind this one; undefined behind the last. */
  next(address: bigint): bigint | undefined;
}

/** "accept_memory+0x1c", or the bare address if no symbol is near. */
export const placeText = (table: SymbolTable, address: bigint): string => {
  const place = table.nearest(address);
  if (place === undefined) return `0x${address.toString(16)}`;
  return place.offset === 0 ? place.name : `${place.name}+0x${place.offset.toString(16)}`;
};
