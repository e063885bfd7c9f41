import { DecodeError } from "../../abi/bytes.ts";
import { NotModelled } from "../../not-modelled.ts";
import type { CodePlace } from "../enforce/violation.ts";
import { backtrace, type FindOrc, frameText } from "../kernel-image/backtrace.ts";
import { LayoutError, offsetOf } from "../kernel-image/btf-layout.ts";
import { type LoadedModule, readLoadedModule } from "../kernel-image/loaded-module.ts";
import type { ReadMemory } from "../kernel-image/memory-struct.ts";
import { type OrcTable, readModuleOrc } from "../kernel-image/orc.ts";
import type { SymbolTable } from "../kernel-image/symbol-table.ts";
import { LabError } from "../lab-error.ts";
import type { GuestKernel } from "../td/guest-kernel.ts";

/** The list may be in the middle of a change; a guest of the lab has few modules. */
const MOST_MODULES = 64;

type Kernel = Pick<GuestKernel, "base" | "symbol" | "symbols" | "types" | "unwindTable">;

interface Registers {
  read(name: string): bigint;
}

/** Names and unwind entries of code at [start, end). */
interface Code {
  readonly start: bigint;
  readonly end: bigint;
  readonly symbols: SymbolTable;
  /** What the code moved by since its symbols were counted. */
  readonly slide: bigint;
  /** What the kernel writes behind a name: the module in brackets. */
  readonly suffix: string;
  readonly find: FindOrc;
}

/** What the memory and the image of a kernel may lack for a backtrace. Anything else is a mistake of ours. */
const isLack = (error: unknown): boolean =>
  error instanceof NotModelled ||
  error instanceof DecodeError ||
  error instanceof LayoutError ||
  error instanceof LabError;

const shift = (address: bigint | undefined, slide: bigint): bigint | undefined =>
  address === undefined ? undefined : address + slide;

/** Says where in the kernel a CPU was stopped, and who called what it is in. */
export class StoppedPlaces {
  private readonly kernel: Kernel;
  private readonly slide: bigint;
  private table: OrcTable | null | undefined;

  /** @param slide what the kernel's virtual addresses moved by */
  constructor(kernel: Kernel, slide: bigint) {
    this.kernel = kernel;
    this.slide = slide;
  }

  /**
   * Never rejected for what the guest holds: callers that cannot be found are left out.
   *
   * @param registers of a CPU that stands still
   */
  async of(registers: Registers, read: ReadMemory): Promise<CodePlace> {
    const codes = [this.image(), ...(await this.modules(read))];
    const codeAt = (address: bigint): Code | undefined =>
      codes.find(({ start, end }) => start <= address && address < end);
    const at = (name: string): bigint => registers.read(name);
    const state = {
      ...{ rip: at("rip"), rsp: at("rsp"), rbp: at("rbp"), rax: at("rax") },
      ...{ rdx: at("rdx"), rdi: at("rdi"), r10: at("r10"), r13: at("r13") },
    };
    const { frames } = await backtrace((address) => codeAt(address)?.find(address), state, read);
    const [symbol, ...callers] = frames.map(({ address, isReturn }) => {
      const code = codeAt(isReturn ? address - 1n : address);
      if (code === undefined) return `0x${address.toString(16)}`;
      return `${frameText(code.symbols, { address: address - code.slide, isReturn })}${code.suffix}`;
    });
    return { rip: state.rip, symbol: symbol!, backtrace: callers };
  }

  private image(): Code {
    const { kernel, slide } = this;
    const start = kernel.base + slide;
    const end = shift(kernel.symbol("_end"), slide) ?? start + 2n ** 30n;
    const table = this.unwindTable()?.movedBy(slide);
    return { start, end, symbols: kernel.symbols, slide, suffix: "", find: (at) => table?.find(at) };
  }

  private unwindTable(): OrcTable | undefined {
    if (this.table !== undefined) return this.table ?? undefined;
    this.table = null;
    try {
      this.table = this.kernel.unwindTable() ?? null;
    } catch (error) {
      if (!isLack(error)) throw error;
    }
    return this.table ?? undefined;
  }

  /** Code of the modules that are loaded now, as far as the kernel's list of them can be read. */
  private async modules(read: ReadMemory): Promise<Code[]> {
    const head = shift(this.kernel.symbol("modules"), this.slide);
    const codes: Code[] = [];
    if (head === undefined) return codes;
    try {
      let entry = await pointer(read, head);
      for (let n = 0; entry !== head && n < MOST_MODULES; n++) {
        const types = this.kernel.types();
        const address = entry - BigInt(offsetOf(types, "module", "list"));
        const module = await readLoadedModule(types, read, address);
        const kernel = this.unwindTable();
        const table = kernel && (await readModuleOrc(types, read, address, kernel));
        codes.push(...codeOf(module, table));
        entry = await pointer(read, entry);
      }
    } catch (error) {
      if (!isLack(error)) throw error;
    }
    return codes;
  }
}

const pointer = async (read: ReadMemory, address: bigint): Promise<bigint> => {
  const bytes = await read(address, 8);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
};

const codeOf = ({ name, regions, symbols }: LoadedModule, table: OrcTable | undefined): Code[] =>
  regions.map(({ base, size }) => ({
    start: base,
    end: base + BigInt(size),
    symbols,
    slide: 0n,
    suffix: ` [${name}]`,
    find: (address) => table?.find(address),
  }));
