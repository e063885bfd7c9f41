import { VIRTIO_MEM_RESPONSE } from "../../abi/virtio-mem/response.ts";
import { PAGE_SIZE } from "../../units.ts";
import type { Hook, StoppedCpu } from "../cpu/cpu-control.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";

const { ACK, NACK, BUSY, ERROR } = VIRTIO_MEM_RESPONSE;

/** Who stops the guest at an instruction. It stands still when one of these is called. */
export interface Hooking {
  /** Hooks an instruction, from now on. */
  hook(address: bigint, hook: Hook): Promise<void>;
  /** Hooks an instruction for the one time that it is reached with this stack. */
  back(address: bigint, rsp: bigint, hook: Hook): Promise<void>;
  /** For a hook that leads the CPU away for a while: it comes back, and those behind the hook are asked then. */
  again(): void;
}

/** A call of a kernel function that the guest is about to make: it stands at the function's first instruction. */
export class Call {
  readonly cpu: StoppedCpu;
  private readonly control: Hooking;

  constructor(cpu: StoppedCpu, control: Hooking) {
    this.cpu = cpu;
    this.control = control;
  }

  /** An integer argument, by its place from 0. */
  argument(index: number): bigint {
    return this.cpu.registers.read(ARGUMENTS[index]!);
  }

  /** The argument as a number; those asked for lie below 2^53. */
  number(index: number): number {
    return Number(this.argument(index));
  }

  /** Reads 64-bit words of the guest at a virtual address. */
  async words(address: bigint, count: number): Promise<bigint[]> {
    const bytes = await this.cpu.gdb.readMemory(address, 8 * count);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: count }, (_, i) => view.getBigUint64(8 * i, true));
  }

  /** What makes the function return `value` without having run. */
  async skip(value: number): Promise<RegisterValues> {
    const rsp = this.cpu.registers.read("rsp");
    const [rip] = await this.words(rsp, 1);
    return { rip: rip!, rsp: rsp + 8n, rax: BigInt.asUintN(64, BigInt(value)) };
  }

  /**
   * Calls `then` when the function returns, with the CPU's state at that moment and the lower half of RAX, signed.
   * What it answers is put over the result, or registers are.
   */
  async onReturn(then: (cpu: StoppedCpu, result: number) => Promise<number | RegisterValues>): Promise<void> {
    const rsp = this.cpu.registers.read("rsp");
    const [address] = await this.words(rsp, 1);
    await this.control.back(address!, rsp + 8n, async (cpu) => {
      const result = cpu.registers.low("rax") | 0;
      const changed = await then(cpu, result);
      if (typeof changed !== "number") return changed;
      return changed === result ? {} : { rax: BigInt.asUintN(64, BigInt(changed)) };
    });
  }
}

/** Registers of integer arguments. @source System V ABI, x86-64 */
const ARGUMENTS = ["rdi", "rsi", "rdx", "rcx", "r8", "r9"] as const;

/** What a virtio-mem device answered, from the errno that the driver made of it. @source Linux drivers/virtio/virtio_mem.c */
export const responseOf = (errno: number): number => {
  if (errno === 0) return ACK;
  if (errno === -26) return BUSY; // -ETXTBSY
  return errno === -11 ? NACK : ERROR; // -EAGAIN; -EINVAL and whatever else
};

/** Bytes of a number of page frames. */
export const pagesToBytes = (frames: bigint): number => Number(frames) * PAGE_SIZE;
