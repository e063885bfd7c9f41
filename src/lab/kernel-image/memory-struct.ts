import type { Btf } from "./btf.ts";
import { offsetOf } from "./btf-layout.ts";

/** Reads the running kernel's memory at a virtual address; may reject. */
export type ReadMemory = (address: bigint, length: number) => Promise<Uint8Array>;

/** A structure in the guest's memory, its members read by name. */
export class MemoryStruct {
  readonly address: bigint;
  readonly #types: Btf;
  readonly #read: ReadMemory;
  readonly #name: string;

  constructor(types: Btf, read: ReadMemory, name: string, address: bigint) {
    this.#types = types;
    this.#read = read;
    this.#name = name;
    this.address = address;
  }

  at(path: string): bigint {
    return this.address + BigInt(offsetOf(this.#types, this.#name, path));
  }

  async u64(path: string): Promise<bigint> {
    const bytes = await this.#read(this.at(path), 8);
    return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  }

  async u32(path: string): Promise<number> {
    const bytes = await this.#read(this.at(path), 4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }
}
