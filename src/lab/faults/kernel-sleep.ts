import type { StoppedCpu } from "../cpu/cpu-control.ts";
import type { Call, Hooking } from "../design/kernel-hooks.ts";
import { LabError } from "../lab-error.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";

const WORD = 8n;
const NS_PER_MS = 1e6;
/** Milliseconds that no guest sees the end of: the longest that msleep() takes for a signed int. */
export const FOR_EVER_NS = 0x7fff_ffff * NS_PER_MS;

/**
 * What waits without sleeping, and the longest that it is asked for at once: its argument times 4 * 4295 has 32 bits.
 *
 * @source Linux arch/x86/lib/delay.c, __udelay
 */
const SPIN = { name: "__udelay", mostUs: 100_000 } as const;
const NS_PER_US = 1e3;
/** How long somebody who is held waits before it is asked whether it may go on, asleep and spinning. */
const WHILE = { ms: 20, us: 20_000 } as const;

/** What a function may change that its caller still needs. @source System V ABI, x86-64 */
const SCRATCH = ["rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11"] as const;

/**
 * Has a kernel thread sleep where one of its functions answers late: it is led into msleep(), and the others go on
 * meanwhile. Only for functions whose callers may sleep.
 *
 * @source Linux kernel/time/sleep_timeout.c, msleep: uninterruptible, as those wait who expect an answer
 */
export class KernelSleep {
  private readonly control: Hooking;
  private readonly msleep: bigint;
  private readonly udelay: bigint | undefined;

  /**
   * @param msleep address of the function in the running kernel
   * @param udelay address of what waits where nobody may sleep
   */
  constructor(control: Hooking, msleep: bigint, udelay?: bigint) {
    this.control = control;
    this.msleep = msleep;
    this.udelay = udelay;
  }

  /**
   * @param symbol address of a function in the running kernel
   * @throws LabError if it has no msleep()
   */
  static of(control: Hooking, symbol: (name: string) => bigint | undefined): KernelSleep {
    const msleep = symbol("msleep");
    if (msleep !== undefined) return new KernelSleep(control, msleep, symbol(SPIN.name));
    throw new LabError(
      "fault of late answers: expected a function msleep in the kernel to stop at, found none; use the model world or another kernel",
    );
  }

  /** Leads a CPU that stands at a function's start past it: the caller gets `value`, late. */
  async instead(call: Call, lateNs: number, value: number): Promise<RegisterValues> {
    return this.first(call.cpu, lateNs, await call.skip(value));
  }

  /** Leads a CPU that has just returned from a function to sleep: its caller gets `rax`, late. */
  afterwards(cpu: StoppedCpu, lateNs: number, rax: bigint): Promise<RegisterValues> {
    return this.first(cpu, lateNs, { rip: cpu.registers.read("rip"), rax });
  }

  /** Leads a CPU that stands at a hooked instruction to sleep before it is executed. Hooks behind this one are asked then. */
  before(cpu: StoppedCpu, lateNs: number): Promise<RegisterValues> {
    return this.first(cpu, lateNs, this.backHere(cpu));
  }

  /**
   * As `before`, or with `then` as `first`, for a CPU that may not sleep: it spins.
   *
   * @throws LabError if the kernel has no function for that
   */
  spin(cpu: StoppedCpu, lateNs: number, then = this.backHere(cpu)): Promise<RegisterValues> {
    const leftUs = Math.max(1, Math.round(lateNs / NS_PER_US));
    const us = Math.min(leftUs, SPIN.mostUs);
    const after = async (): Promise<RegisterValues> =>
      leftUs > us ? this.spin(cpu, (leftUs - us) * NS_PER_US, then) : then;
    return this.lead(cpu, this.spinner(), BigInt(us), after);
  }

  /**
   * Keeps a CPU that stands at a hooked instruction, or has come back from a call, until something is so: it sleeps or spins
   * for a short while again and again.
   *
   * @param isOver is asked after each while
   * @param sleeps whether the thread may sleep
   * @param then registers that it goes on with, RIP among them; left out: as it stands
   * @throws LabError if the kernel has no function for that
   */
  until(
    cpu: StoppedCpu,
    isOver: () => boolean,
    sleeps: boolean,
    then = this.backHere(cpu),
  ): Promise<RegisterValues> {
    const [wait, amount] = sleeps ? [this.msleep, WHILE.ms] : [this.spinner(), WHILE.us];
    const after = async (): Promise<RegisterValues> =>
      isOver() ? then : this.until(cpu, isOver, sleeps, then);
    return this.lead(cpu, wait, BigInt(amount), after);
  }

  private spinner(): bigint {
    if (this.udelay !== undefined) return this.udelay;
    throw new LabError(
      `fault of late answers: expected a function ${SPIN.name} in the kernel to stop at, found none; use the model world or another kernel`,
    );
  }

  /** Registers of a CPU that comes back to where it stands. */
  private backHere({ registers }: StoppedCpu): RegisterValues {
    const kept = SCRATCH.map((name) => [name, registers.read(name)] as const);
    this.control.again();
    return { ...Object.fromEntries(kept), rip: registers.read("rip") };
  }

  /**
   * Leads a CPU to sleep.
   *
   * @param then registers that it goes on with, RIP among them
   */
  first(cpu: StoppedCpu, lateNs: number, then: RegisterValues): Promise<RegisterValues> {
    const ms = BigInt(Math.max(1, Math.round(lateNs / NS_PER_MS)));
    return this.lead(cpu, this.msleep, ms, async () => then);
  }

  /** Leads a CPU into a function with one argument. */
  private async lead(
    cpu: StoppedCpu,
    wait: bigint,
    rdi: bigint,
    then: () => Promise<RegisterValues>,
  ): Promise<RegisterValues> {
    const rsp = cpu.registers.read("rsp");
    // It comes back to where it went: nobody else is there with this stack. What lies below it belongs to nobody.
    const word = new Uint8Array(Number(WORD));
    new DataView(word.buffer).setBigUint64(0, wait, true);
    await cpu.gdb.writeMemory(rsp - WORD, word);
    await this.control.back(wait, rsp, then);
    return { rip: wait, rsp: rsp - WORD, rdi };
  }
}
