import type { CpuControl, Hook, StoppedCpu } from "../cpu/cpu-control.ts";
import type { Hooking } from "../design/kernel-hooks.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";

const stackOf = ({ registers }: StoppedCpu): bigint => registers.read("rsp");

/** A CPU as it will be with some registers changed. */
const changedCpu = (cpu: StoppedCpu, change: RegisterValues): StoppedCpu =>
  Object.keys(change).length === 0 ? cpu : { ...cpu, registers: cpu.registers.with(change) };

/**
 * Lets several hook one instruction: each is asked in the order in which they came, until one leads the CPU elsewhere.
 * Calls that are waited for are told apart by their stacks, so that several threads may be in one function.
 */
export class HookChain implements Hooking {
  private readonly control: Pick<CpuControl, "hook" | "unhook">;
  private readonly chains = new Map<bigint, Hook[]>();
  /** By address and stack: who waits for the call that comes back there. */
  private readonly expected = new Map<bigint, Map<bigint, Hook[]>>();
  /** Threads that were led away from a hooked instruction and come back to it: who is asked first then. */
  private readonly away = new Map<string, number>();
  private comesBack = false;

  constructor(control: Pick<CpuControl, "hook" | "unhook">) {
    this.control = control;
  }

  async hook(address: bigint, hook: Hook): Promise<void> {
    const known = this.chains.get(address);
    if (known !== undefined) {
      known.push(hook);
      return;
    }
    const chain = [hook];
    this.chains.set(address, chain);
    await this.control.hook(address, (cpu) => this.meet(address, chain, cpu));
  }

  /** Takes all hooks of an instruction away. The guest must stand still. */
  async unhook(address: bigint): Promise<void> {
    for (const thread of this.away.keys()) if (thread.startsWith(`${address} `)) this.away.delete(thread);
    if (this.chains.delete(address)) await this.control.unhook(address);
  }

  again(): void {
    this.comesBack = true;
  }

  /** Of several who wait for one call, the last that came is asked first: it is the innermost. */
  async back(address: bigint, rsp: bigint, hook: Hook): Promise<void> {
    const known = this.expected.get(address);
    if (known !== undefined) {
      known.set(rsp, [...(known.get(rsp) ?? []), hook]);
      return;
    }
    const stacks = new Map([[rsp, [hook]]]);
    this.expected.set(address, stacks);
    await this.control.hook(address, (cpu) => this.arrive(address, stacks, cpu));
  }

  private async meet(address: bigint, chain: readonly Hook[], cpu: StoppedCpu): Promise<RegisterValues> {
    const thread = `${address} ${stackOf(cpu)}`;
    const first = this.away.get(thread) ?? 0;
    this.away.delete(thread);
    let change: RegisterValues = {};
    for (let n = first; n < chain.length; n++) {
      this.comesBack = false;
      change = { ...change, ...(await chain[n]!(changedCpu(cpu, change))) };
      if (!("rip" in change)) continue;
      if (this.comesBack) this.away.set(thread, n + 1);
      break;
    }
    return change;
  }

  private async arrive(
    address: bigint,
    stacks: Map<bigint, Hook[]>,
    cpu: StoppedCpu,
  ): Promise<RegisterValues> {
    const rsp = stackOf(cpu);
    let change: RegisterValues = {};
    while (!("rip" in change)) {
      const waiting = stacks.get(rsp) ?? [];
      const hook = waiting.at(-1);
      if (hook === undefined) break;
      if (waiting.length === 1) stacks.delete(rsp);
      else stacks.set(rsp, waiting.slice(0, -1));
      change = { ...change, ...(await hook(changedCpu(cpu, change))) };
    }
    if (stacks.size === 0) {
      this.expected.delete(address);
      await this.control.unhook(address);
    }
    return change;
  }
}
