import { RegisterBlock } from "../../protocol/gdb-remote/register-block.ts";
import type { Hook, StoppedGuest } from "../cpu/cpu-control.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";

const NAMES = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split(" ");
const PLACES = NAMES.map((name, number) => ({ name, number, offset: 8 * number, bytes: 8 }));
const LAYOUT = {
  registers: PLACES,
  byName: new Map(PLACES.map((place) => [place.name, place])),
  blockBytes: 8 * NAMES.length,
};

/** A CPU that does nothing: a test puts it at hooked instructions. Its memory is words, zero where none was written. */
export class CpuForTest {
  readonly words = new Map<bigint, bigint>();
  private readonly hooks = new Map<bigint, Hook>();
  private readonly gdb: StoppedGuest = {
    readMemory: async (address, length) => {
      const bytes = new Uint8Array(length);
      const view = new DataView(bytes.buffer);
      for (let at = 0; at < length; at += 8)
        view.setBigUint64(at, this.words.get(address + BigInt(at)) ?? 0n, true);
      return bytes;
    },
    writeMemory: async (address, bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      for (let at = 0; at < bytes.length; at += 8)
        this.words.set(address + BigInt(at), view.getBigUint64(at, true));
    },
    batch: (work) => work(),
  };

  get hooked(): bigint[] {
    return [...this.hooks.keys()];
  }

  async hook(address: bigint, hook: Hook): Promise<void> {
    this.hooks.set(address, hook);
  }

  async unhook(address: bigint): Promise<void> {
    this.hooks.delete(address);
  }

  /** The CPU comes to an instruction with these registers. @returns what its hook changes; nothing without one */
  async at(address: bigint, values: RegisterValues): Promise<RegisterValues> {
    const blank = new RegisterBlock(LAYOUT, new Uint8Array(LAYOUT.blockBytes));
    const registers = blank.with({ ...values, rip: address });
    const hook = this.hooks.get(address);
    return hook === undefined ? {} : hook({ vcpu: 0, thread: undefined, registers, gdb: this.gdb });
  }
}
