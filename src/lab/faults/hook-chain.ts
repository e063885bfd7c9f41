import type { CpuControl, Hook } from "../cpu/cpu-control.ts";
import type { Hooking } from "../design/kernel-hooks.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";

/** Lets several hook one instruction: each is asked in the order in which they came, until one leads the CPU elsewhere. */
export class HookChain implements Hooking {
  private readonly control: Pick<CpuControl, "hook">;
  private readonly chains = new Map<bigint, Hook[]>();

  constructor(control: Pick<CpuControl, "hook">) {
    this.control = control;
  }

  /** Hooks for once are not chained: they are for the one call that is being made. */
  async hook(address: bigint, hook: Hook, once = false): Promise<void> {
    if (once) return this.control.hook(address, hook, true);
    const known = this.chains.get(address);
    if (known !== undefined) {
      known.push(hook);
      return;
    }
    const chain = [hook];
    this.chains.set(address, chain);
    await this.control.hook(address, inTurn(chain));
  }
}

/** Asks each of some hooks, those too that come to the list later. */
export const inTurn =
  <C>(hooks: readonly ((cpu: C) => Promise<RegisterValues>)[]) =>
  async (cpu: C): Promise<RegisterValues> => {
    let change: RegisterValues = {};
    for (const hook of hooks) {
      change = { ...change, ...(await hook(cpu)) };
      if ("rip" in change) break;
    }
    return change;
  };
