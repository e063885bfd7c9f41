import { DecodeError } from "../../abi/bytes.ts";
import { NotModelled } from "../../not-modelled.ts";
import type { Btf } from "./btf.ts";
import { bytesAt, bytesBetween } from "./elf-memory.ts";
import type { KernelImage } from "./kernel-image.ts";
import { MemoryStruct, type ReadMemory } from "./memory-struct.ts";

/** What the caller's stack pointer, or the place of its RBP, is counted from. */
export type OrcRegister =
  | "UNDEFINED"
  | "PREV_SP"
  | "AX"
  | "DX"
  | "DI"
  | "BP"
  | "SP"
  | "R10"
  | "R13"
  | "BP_INDIRECT"
  | "SP_INDIRECT";

/**
 * The numbers of these registers, by the hash of their definitions that the build leaves in .orc_header.
 *
 * @source Linux arch/x86/include/asm/orc_types.h of 6.12 and of 7.3, scripts/orc_hash.sh
 */
const NUMBERING: Readonly<Record<string, readonly OrcRegister[]>> = {
  // 6.4 to 6.16 at least
  fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24: [
    ...([
      "UNDEFINED",
      "PREV_SP",
      "DX",
      "DI",
      "BP",
      "SP",
      "R10",
      "R13",
      "BP_INDIRECT",
      "SP_INDIRECT",
    ] as const),
  ],
  // 7.3
  "137c36ad7627c4dd55932176bb0ecdbd5041fc82": [
    ...([
      "UNDEFINED",
      "AX",
      "DX",
      "SP",
      "BP",
      "DI",
      "R10",
      "R13",
      "PREV_SP",
      "SP_INDIRECT",
      "BP_INDIRECT",
    ] as const),
  ],
};
const HASH_BYTES = 20;

/** What lies at the caller's stack pointer. */
export const ORC_TYPE = { UNDEFINED: 0, END_OF_STACK: 1, CALL: 2, REGS: 3, REGS_PARTIAL: 4 } as const;

/** How to get from one frame to the caller's. */
export interface OrcEntry {
  readonly spOffset: number;
  readonly bpOffset: number;
  readonly spReg: OrcRegister;
  readonly bpReg: OrcRegister;
  readonly type: number;
  /** True if the address of this frame is not that of a return: a signal or interrupt came in. */
  readonly signal: boolean;
}

const ENTRY_BYTES = 6;
const WHAT = "ORC unwind table";

/**
 * The table that tells, for each instruction, where its function keeps the caller's registers.
 *
 * @source Linux arch/x86/include/asm/orc_types.h, struct orc_entry of 6.4 and newer
 */
export class OrcTable {
  /** Where each entry's range of instructions starts, counted from `origin`; ascending. */
  readonly #starts: Float64Array;
  readonly #entries: DataView;
  readonly #numbering: readonly OrcRegister[];
  readonly origin: bigint;

  private constructor(
    starts: Float64Array,
    entries: DataView,
    numbering: readonly OrcRegister[],
    origin: bigint,
  ) {
    this.#starts = starts;
    this.#entries = entries;
    this.#numbering = numbering;
    this.origin = origin;
  }

  /**
   * @param places .orc_unwind_ip: 32-bit distances of the instructions from where each stands
   * @param address where that section lies
   * @param entries .orc_unwind
   * @param header .orc_header
   * @throws NotModelled if the entries are of a form that is not known; DecodeError if the parts do not belong
   *   together, or the table is not sorted as the build leaves it
   */
  static decode(places: Uint8Array, address: bigint, entries: Uint8Array, header: Uint8Array): OrcTable {
    const hash = Buffer.from(header).toString("hex");
    const numbering = NUMBERING[hash];
    if (numbering === undefined) throw new NotModelled(`ORC entries of the form ${hash}`);
    return OrcTable.#numbered(places, address, entries, numbering);
  }

  /** A module's table, whose entries have the form of the kernel's. @throws DecodeError as `decode` */
  ofModule(places: Uint8Array, address: bigint, entries: Uint8Array): OrcTable {
    return OrcTable.#numbered(places, address, entries, this.#numbering);
  }

  static #numbered(
    places: Uint8Array,
    address: bigint,
    entries: Uint8Array,
    numbering: readonly OrcRegister[],
  ): OrcTable {
    const count = Math.floor(places.length / 4);
    if (entries.length < count * ENTRY_BYTES)
      throw new DecodeError(WHAT, 0, `${count} entries of ${ENTRY_BYTES} bytes`, `${entries.length} bytes`);
    const words = new DataView(places.buffer, places.byteOffset, places.byteLength);
    const starts = new Float64Array(count);
    for (let n = 0; n < count; n++) {
      starts[n] = words.getInt32(4 * n, true) + 4 * n;
      if (n > 0 && starts[n]! < starts[n - 1]!)
        throw new DecodeError(WHAT, 4 * n, "instructions in ascending order", "one before its predecessor");
    }
    const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
    return new OrcTable(starts, view, numbering, address);
  }

  get count(): number {
    return this.#starts.length;
  }

  /** The same table of code that was moved by `slide` bytes. */
  movedBy(slide: bigint): OrcTable {
    return new OrcTable(this.#starts, this.#entries, this.#numbering, this.origin + slide);
  }

  /** The entry for an instruction; undefined before the first one. */
  find(instruction: bigint): OrcEntry | undefined {
    const at = Number(instruction - this.origin);
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle]! <= at) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : this.#entry(low - 1);
  }

  #entry(n: number): OrcEntry {
    const at = n * ENTRY_BYTES;
    const word = this.#entries.getUint16(at + 4, true);
    return {
      spOffset: this.#entries.getInt16(at, true),
      bpOffset: this.#entries.getInt16(at + 2, true),
      spReg: this.#numbering[word & 15] ?? "UNDEFINED",
      bpReg: this.#numbering[(word >> 4) & 15] ?? "UNDEFINED",
      type: (word >> 8) & 7,
      signal: ((word >> 11) & 1) === 1,
    };
  }
}

/** A module of 100 000 entries would be a tenth of the kernel; more means that the memory is no module. */
const MOST_MODULE_ENTRIES = 100_000;

/**
 * The unwind table of a module in the running kernel. It is there and sorted at do_init_module.
 *
 * @param types the kernel's
 * @param address of the struct module
 * @param kernel the kernel's own table
 * @throws LayoutError if the kernel keeps it elsewhere; DecodeError if the memory holds none
 */
export const readModuleOrc = async (
  types: Btf,
  read: ReadMemory,
  address: bigint,
  kernel: OrcTable,
): Promise<OrcTable> => {
  const module = new MemoryStruct(types, read, "module", address);
  const count = await module.u32("arch.num_orcs");
  if (count > MOST_MODULE_ENTRIES)
    throw new DecodeError(WHAT, 0, `at most ${MOST_MODULE_ENTRIES} entries`, `${count}`);
  const places = await module.u64("arch.orc_unwind_ip");
  const entries = await read(await module.u64("arch.orc_unwind"), count * ENTRY_BYTES);
  return kernel.ofModule(await read(places, 4 * count), places, entries);
};

/**
 * The kernel's own unwind table, as linked.
 *
 * @returns undefined if it was built without (CONFIG_UNWINDER_ORC)
 * @throws DecodeError if the table is damaged
 * @missing entries of kernels before 6.4, and of forms between 6.16 and 7.3 or newer ones
 */
export const kernelOrc = ({ elf, symbols }: KernelImage): OrcTable | undefined => {
  const address = symbols.addressOf("__start_orc_unwind_ip");
  const places = bytesBetween(elf, symbols, "__start_orc_unwind_ip", "__stop_orc_unwind_ip");
  const entries = bytesBetween(elf, symbols, "__start_orc_unwind", "__stop_orc_unwind");
  if (address === undefined || places === undefined || entries === undefined) return undefined;
  // The header has no symbol; it lies right before the table, in all builds that have one.
  const header = bytesAt(elf, address - BigInt(HASH_BYTES), HASH_BYTES) ?? new Uint8Array();
  return OrcTable.decode(places, address, entries, header);
};
