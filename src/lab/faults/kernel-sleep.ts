import type { StoppedCpu } from "../cpu/cpu-control.ts";
import type { Call, Hooking } from "../design/kernel-hooks.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";

const WORD = 8n;
const NS_PER_MS = 1e6;
/** Milliseconds that no guest sees the end of: the longest that msleep() takes for a signed int. */
export const FOR_EVER_NS = 0x7fff_ffff * NS_PER_MS;

/**
 * Has a kernel thread sleep where one of its functions answers late: it is led into msleep(), and the others go on
 * meanwhile. Only for functions whose callers may sleep.
 *
 * @source Linux kernel/time/sleep_timeout.c, msleep: uninterruptible, as those wait who expect an answer
 */
export class KernelSleep {
  private readonly control: Hooking;
  private readonly msleep: bigint;

  /** @param msleep address of the function in the running kernel */
  constructor(control: Hooking, msleep: bigint) {
    this.control = control;
    this.msleep = msleep;
  }

  /** Leads a CPU that stands at a function's start past it: the caller gets `value`, late. */
  async instead(call: Call, lateNs: number, value: number): Promise<RegisterValues> {
    const rsp = call.cpu.registers.read("rsp");
    const [caller] = await call.words(rsp, 1);
    // msleep() returns to the function's caller.
    await this.whenBack(caller!, rsp + WORD, BigInt.asUintN(64, BigInt(value)));
    return this.asleep(lateNs);
  }

  /** Leads a CPU that has just returned from a function to sleep: its caller gets `rax`, late. */
  async afterwards(cpu: StoppedCpu, lateNs: number, rax: bigint): Promise<RegisterValues> {
    const [rip, rsp] = [cpu.registers.read("rip"), cpu.registers.read("rsp")];
    const word = new Uint8Array(Number(WORD));
    new DataView(word.buffer).setBigUint64(0, rip, true);
    await cpu.gdb.writeMemory(rsp - WORD, word);
    await this.whenBack(rip, rsp, rax);
    return { ...this.asleep(lateNs), rsp: rsp - WORD };
  }

  private asleep(lateNs: number): RegisterValues {
    return { rip: this.msleep, rdi: BigInt(Math.max(1, Math.round(lateNs / NS_PER_MS))) };
  }

  /** Gives the thread with this stack what it waited for. Others that come by before it are let go. */
  private async whenBack(address: bigint, rsp: bigint, rax: bigint): Promise<void> {
    await this.control.hook(
      address,
      async ({ registers }) => {
        if (registers.read("rsp") === rsp) return { rax };
        await this.whenBack(address, rsp, rax);
        return {};
      },
      true,
    );
  }
}
