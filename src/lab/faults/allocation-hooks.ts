import type { Call } from "../design/kernel-hooks.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";
import type { HookChain } from "./hook-chain.ts";
import type { KernelSleep } from "./kernel-sleep.ts";

/** Functions that add memory or online it, of which a kernel has some; each calls others of them. */
const GROWING: readonly (readonly string[])[] = [
  ["__add_memory_resource", "add_memory_resource"],
  ["online_pages"],
];
/** Where every page allocation of a kernel ends; the innermost comes first. @source Linux mm/page_alloc.c */
export const ALLOCATOR = ["__alloc_frozen_pages_noprof", "__alloc_pages_noprof", "__alloc_pages"] as const;
/** Of gfp: whoever allocates may sleep. @source Linux include/linux/gfp_types.h, ___GFP_DIRECT_RECLAIM */
const GFP_DIRECT_RECLAIM = 0x400n;
/** Where a thread ends that an oops has struck. Its stack is another's then. @source Linux kernel/exit.c */
const DEATH = "make_task_dead";
/** Bytes that a kernel stack is aligned to. @source Linux arch/x86/include/asm/page_64_types.h, THREAD_SIZE */
const STACK_BYTES = 0x4000n;

export interface AllocationParts {
  readonly control: Pick<HookChain, "hook" | "unhook" | "back" | "again">;
  /** Makes the stop at a function a call. */
  readonly callAt: (cpu: Call["cpu"]) => Call;
  /** An allocation is made. @returns whether it is to fail, and by how many nanoseconds its answer is to be late */
  readonly answer: () => { readonly fails: boolean; readonly lateNs: number };
  /** How a thread waits for what is late. Needed if anything can be. */
  readonly sleep?: KernelSleep | undefined;
  /** Whether any allocation to come may fail. */
  readonly isOver: () => boolean;
}

/**
 * Page allocations of threads that add memory or online it. A kernel allocates too often to be stopped at each: it is
 * stopped at allocations only while such a thread is at work, and only that thread's count.
 */
export class AllocationHooks {
  private readonly parts: AllocationParts;
  /** By kernel stack: how many of the functions its thread is in. */
  private readonly growing = new Map<bigint, number>();

  constructor(parts: AllocationParts) {
    this.parts = parts;
  }

  /**
   * @param symbol address of a function in the running kernel
   * @returns the function that it lacks; undefined if none
   */
  async install(symbol: (name: string) => bigint | undefined): Promise<string | undefined> {
    const { control, callAt } = this.parts;
    const addressOf = (names: readonly string[]): bigint | undefined =>
      names.map(symbol).find((found) => found !== undefined);
    const allocator = addressOf(ALLOCATOR);
    if (allocator === undefined) return ALLOCATOR.at(-1);
    const death = symbol(DEATH);
    if (death !== undefined)
      await control.hook(death, async (cpu) => {
        await this.leave(stackOf(callAt(cpu)), allocator);
        return {};
      });
    for (const names of GROWING) {
      const address = addressOf(names);
      if (address === undefined) return names.at(-1);
      await control.hook(address, async (cpu) => {
        if (!this.parts.isOver()) await this.enter(callAt(cpu), allocator);
        return {};
      });
    }
    return undefined;
  }

  private async enter(call: Call, allocator: bigint): Promise<void> {
    const { control, callAt } = this.parts;
    const stack = stackOf(call);
    if (this.growing.size === 0)
      await control.hook(allocator, async (cpu) => {
        const change = await this.allocate(callAt(cpu));
        // A thread that dies of what failed never comes back.
        if (this.parts.isOver()) await control.unhook(allocator);
        return change;
      });
    this.growing.set(stack, (this.growing.get(stack) ?? 0) + 1);
    await call.onReturn(async (_cpu, result) => {
      const left = (this.growing.get(stack) ?? 0) - 1;
      if (left > 0) this.growing.set(stack, left);
      else await this.leave(stack, allocator);
      return result;
    });
  }

  private async leave(stack: bigint, allocator: bigint): Promise<void> {
    this.growing.delete(stack);
    if (this.growing.size === 0) await this.parts.control.unhook(allocator);
  }

  /** struct page *alloc_pages(gfp, ...): there is none, or late. */
  private async allocate(call: Call): Promise<RegisterValues> {
    if (!this.growing.has(stackOf(call))) return {};
    const { fails, lateNs } = this.parts.answer();
    const none = fails ? await call.skip(0) : undefined;
    if (lateNs === 0) return none ?? {};
    const { cpu } = call;
    const sleep = this.parts.sleep!;
    if ((call.argument(0) & GFP_DIRECT_RECLAIM) === 0n) return sleep.spin(cpu, lateNs, none);
    return none === undefined ? sleep.before(cpu, lateNs) : sleep.first(cpu, lateNs, none);
  }
}

const stackOf = ({ cpu }: Call): bigint => cpu.registers.read("rsp") / STACK_BYTES;
