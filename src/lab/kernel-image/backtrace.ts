import type { ReadMemory } from "./memory-struct.ts";
import { ORC_TYPE, type OrcEntry } from "./orc.ts";
import { placeText, type SymbolTable } from "./symbol-table.ts";

/** Registers of a vCPU that stands in kernel code; those in brackets are needed where a table names them. */
export interface UnwindRegisters {
  readonly rip: bigint;
  readonly rsp: bigint;
  readonly rbp: bigint;
  readonly rax?: bigint;
  readonly rdx?: bigint;
  readonly rdi?: bigint;
  readonly r10?: bigint;
  readonly r13?: bigint;
}

export interface Frame {
  readonly address: bigint;
  /** False for the instruction that stands to be executed: the first frame, and one that was interrupted. */
  readonly isReturn: boolean;
}

export interface Backtrace {
  readonly frames: readonly Frame[];
  /** Why it ends: "end of stack" and "user mode" are whole ones. */
  readonly end: string;
}

/** Finds the entry for an instruction, in the kernel's table or a module's. */
export type FindOrc = (instruction: bigint) => OrcEntry | undefined;

/** Bytes of struct pt_regs before each register. */
const PT_REGS = {
  r13: 16,
  rbp: 32,
  r10: 56,
  rax: 80,
  rdx: 96,
  rdi: 112,
  rip: 128,
  cs: 136,
  rsp: 152,
} as const;
const PT_REGS_BYTES = 168;
const MOST_FRAMES = 128;
const USER_RING = 3n;

type State = UnwindRegisters & { readonly isReturn: boolean };
/** The caller's state, or why there is none. */
type Step = State | string;

const u64 = async (read: ReadMemory, address: bigint): Promise<bigint> => {
  const bytes = await read(address, 8);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
};

/** Value that the caller's stack pointer is counted from, and whether it lies in memory; undefined if not known. */
const spBase = (orc: OrcEntry, state: State): { value: bigint | undefined; indirect: boolean } => {
  const direct = (value: bigint | undefined) => ({ value, indirect: false });
  switch (orc.spReg) {
    case "SP":
      return direct(state.rsp);
    case "BP":
      return direct(state.rbp);
    case "AX":
      return direct(state.rax);
    case "DX":
      return direct(state.rdx);
    case "DI":
      return direct(state.rdi);
    case "R10":
      return direct(state.r10);
    case "R13":
      return direct(state.r13);
    case "SP_INDIRECT":
      return { value: state.rsp, indirect: true };
    case "BP_INDIRECT":
      return { value: state.rbp + BigInt(orc.spOffset), indirect: true };
    default:
      return direct(undefined);
  }
};

const callerStack = async (orc: OrcEntry, state: State, read: ReadMemory): Promise<bigint | undefined> => {
  const { value, indirect } = spBase(orc, state);
  if (value === undefined) return undefined;
  if (!indirect) return value + BigInt(orc.spOffset);
  const held = await u64(read, value);
  return orc.spReg === "SP_INDIRECT" ? held + BigInt(orc.spOffset) : held;
};

const callerBase = async (orc: OrcEntry, state: State, sp: bigint, read: ReadMemory): Promise<bigint> => {
  if (orc.bpReg === "PREV_SP") return u64(read, sp + BigInt(orc.bpOffset));
  if (orc.bpReg === "BP") return u64(read, state.rbp + BigInt(orc.bpOffset));
  return state.rbp;
};

/** The frame that an interrupt or exception pushed whole. */
const wholeRegisters = async (sp: bigint, read: ReadMemory): Promise<Step> => {
  const bytes = await read(sp, PT_REGS_BYTES);
  const words = new DataView(bytes.buffer, bytes.byteOffset);
  const at = (name: keyof typeof PT_REGS): bigint => words.getBigUint64(PT_REGS[name], true);
  if ((at("cs") & USER_RING) === USER_RING) return "user mode";
  const frame = { rip: at("rip"), rsp: at("rsp"), rbp: at("rbp"), isReturn: false };
  return { ...frame, rax: at("rax"), rdx: at("rdx"), rdi: at("rdi"), r10: at("r10"), r13: at("r13") };
};

/** The five words that the CPU pushes; RBP is still the interrupted code's. */
const interruptFrame = async (sp: bigint, rbp: bigint, read: ReadMemory): Promise<Step> => {
  const bytes = await read(sp, 40);
  const words = new DataView(bytes.buffer, bytes.byteOffset);
  if ((words.getBigUint64(8, true) & USER_RING) === USER_RING) return "user mode";
  return { rip: words.getBigUint64(0, true), rsp: words.getBigUint64(24, true), rbp, isReturn: false };
};

/** One frame up. */
const step = async (find: FindOrc, state: State, read: ReadMemory): Promise<Step> => {
  // A return address may lie behind its function's end, if the call never returns.
  const orc = find(state.isReturn ? state.rip - 1n : state.rip);
  if (orc === undefined) return `no unwind entry for 0x${state.rip.toString(16)}`;
  if (orc.type === ORC_TYPE.END_OF_STACK) return "end of stack";
  if (orc.type === ORC_TYPE.UNDEFINED) return `code at 0x${state.rip.toString(16)} cannot be unwound`;
  const sp = await callerStack(orc, state, read);
  if (sp === undefined)
    return `the stack pointer at 0x${state.rip.toString(16)} is in a register that is not known`;
  if (orc.type === ORC_TYPE.REGS) return wholeRegisters(sp, read);
  const rbp = await callerBase(orc, state, sp, read);
  if (orc.type === ORC_TYPE.REGS_PARTIAL) return interruptFrame(sp, rbp, read);
  if (orc.type !== ORC_TYPE.CALL) return `unwind entry of unknown type ${orc.type}`;
  if (sp <= state.rsp) return "the stack does not go on upward";
  return { rip: await u64(read, sp - 8n), rsp: sp, rbp, isReturn: true };
};

/**
 * Who called whom, from a vCPU that stands still in kernel code, as the kernel's own unwinder sees it.
 *
 * It never fails: memory that cannot be read and code without an entry end it, with the reason, and so does a chain of
 * more than 128 frames.
 *
 * @param read the guest's memory by virtual address; may reject
 * @source Linux arch/x86/kernel/unwind_orc.c, unwind_next_frame
 */
export const backtrace = async (
  find: FindOrc,
  registers: UnwindRegisters,
  read: ReadMemory,
): Promise<Backtrace> => {
  const frames: Frame[] = [];
  let state: State = { ...registers, isReturn: false };
  while (frames.length < MOST_FRAMES) {
    frames.push({ address: state.rip, isReturn: state.isReturn });
    let next: Step;
    try {
      next = await step(find, state, read);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { frames, end: `memory cannot be read: ${reason}` };
    }
    if (typeof next === "string") return { frames, end: next };
    state = next;
  }
  return { frames, end: `more than ${MOST_FRAMES} frames` };
};

/** "accept_memory+0x1c" of a frame. A return address is named by its call, which may be its function's last. */
export const frameText = (symbols: SymbolTable, { address, isReturn }: Frame): string => {
  if (!isReturn) return placeText(symbols, address);
  const place = symbols.nearest(address - 1n);
  if (place === undefined) return `0x${address.toString(16)}`;
  return `${place.name}+0x${(place.offset + 1).toString(16)}`;
};
