import {
  R8, R9, R10, R11, R12, R13, R14, R15, RAX, RBX, RCX, RDI, RDX, type Regs,RSI, 
} from "../../abi/tdx/regs.ts"; // biome-ignore format: registers in a row
import type { GuestRam } from "../guest-ram/guest-ram.ts";

/**
 * The page through which a guest's CPUs hand over their TDCALLs: byte offsets.
 *
 * `state` is 0 (free), 1 (asked), 2 (answered); `lock` is 1 while a CPU has the page.
 */
export const MAILBOX = {
  state: 0,
  lock: 4,
  rax: 8, // the leaf; then the status
  cpu: 16, // TSC_AUX: bits 11:0 are the CPU's number
  returnAddress: 24,
  rsp: 32,
  rbp: 40,
  args: 64, // struct tdx_module_args
} as const;

const ASKED = 1;
const ANSWERED = 2;

/** Registers in the order of Linux's `struct tdx_module_args`. @source Linux arch/x86/include/asm/shared/tdx.h */
const ARGS = [RCX, RDX, R8, R9, R10, R11, R12, R13, R14, R15, RBX, RDI, RSI] as const;
const BYTES = MAILBOX.args + 8 * ARGS.length;
/** The part of the page that either side writes before it says so by the state. */
const MESSAGE = { start: MAILBOX.rax, end: BYTES } as const;

/** Who called, and from where. Addresses are virtual. */
export interface Caller {
  readonly vcpu: number;
  readonly returnAddress: bigint;
  readonly rsp: bigint;
  readonly rbp: bigint;
}

/** One call at a time, from whichever CPU holds the page. */
export class Mailbox {
  private readonly ram: Pick<GuestRam, "readInto" | "write">;
  private readonly address: number;
  private readonly bytes = new Uint8Array(BYTES);
  private readonly state = this.bytes.subarray(MAILBOX.state, MAILBOX.lock);
  private readonly message = this.bytes.subarray(MESSAGE.start, MESSAGE.end);
  private readonly words = new Uint32Array(this.bytes.buffer);
  private readonly view = new DataView(this.bytes.buffer);
  private readonly flag = new Uint8Array(4);

  /** @param address guest-physical byte address of the page */
  constructor(ram: Pick<GuestRam, "readInto" | "write">, address: number) {
    this.ram = ram;
    this.address = address;
    this.flag[0] = ANSWERED;
  }

  /**
   * Whether a call waits; its registers are then those that `take` and `caller` give.
   *
   * The state first, the rest after it: two reads, for their order. One read copies its bytes in any order, and would
   * now and then find a new state with the words of the call before, which would be executed twice.
   */
  poll(): boolean {
    this.ram.readInto(this.address + MAILBOX.state, this.state);
    if (this.words[MAILBOX.state / 4] !== ASKED) return false;
    this.ram.readInto(this.address + MESSAGE.start, this.message);
    return true;
  }

  take(regs: Regs): void {
    regs[2 * RAX] = this.words[MAILBOX.rax / 4]!;
    regs[2 * RAX + 1] = this.words[MAILBOX.rax / 4 + 1]!;
    for (const [index, register] of ARGS.entries()) {
      regs[2 * register] = this.words[MAILBOX.args / 4 + 2 * index]!;
      regs[2 * register + 1] = this.words[MAILBOX.args / 4 + 2 * index + 1]!;
    }
  }

  get caller(): Caller {
    return {
      vcpu: this.words[MAILBOX.cpu / 4]! & 0xfff,
      returnAddress: this.view.getBigUint64(MAILBOX.returnAddress, true),
      rsp: this.view.getBigUint64(MAILBOX.rsp, true),
      rbp: this.view.getBigUint64(MAILBOX.rbp, true),
    };
  }

  /** The registers first, then the word that lets the CPU go on: two writes, for their order. */
  answer(regs: Regs): void {
    this.words[MAILBOX.rax / 4] = regs[2 * RAX]!;
    this.words[MAILBOX.rax / 4 + 1] = regs[2 * RAX + 1]!;
    for (const [index, register] of ARGS.entries()) {
      this.words[MAILBOX.args / 4 + 2 * index] = regs[2 * register]!;
      this.words[MAILBOX.args / 4 + 2 * index + 1] = regs[2 * register + 1]!;
    }
    this.ram.write(this.address + MESSAGE.start, this.message);
    this.ram.write(this.address + MAILBOX.state, this.flag);
  }
}
