import { KERNEL_PROCEDURES, panic } from "../kernel.ts";
import { allocPages } from "../page-allocator/alloc.ts";

/** Owner of the pages that the kernel took for itself while booting. */
export const KERNEL_OWNER = 0xfffd;

const { v, at, define } = KERNEL_PROCEDURES.declare("smp_init", {
  args: [],
  locals: ["done"],
  steps: ["next", "got"],
});

/**
 * Brings up every vCPU but the first, as far as it allocates memory: boot.bringUpPages single pages each.
 * Watermarks are 0 still, so every one of these allocations accepts a whole chunk while any is listed.
 * Returns 0. Nobody is there to be killed yet, so a page that cannot be had is the end.
 *
 * @source Linux kernel/smp.c; mm/page_alloc.c, cond_accept_memory; mm/oom_kill.c, out_of_memory
 * @missing what the pages hold, and their touch
 */
export const smpInit = define({
  next: (k, f) => {
    const vcpus = k.cpus.irqsOff.length;
    if (f.get(v.done) >= (vcpus - 1) * k.boot.bringUpPages) return f.returns(0);
    f.set(v.done, f.get(v.done) + 1);
    return f.call(allocPages, at.got, 0, 0, 0, KERNEL_OWNER);
  },
  got: (k, f) => {
    if (f.result >= 0) return at.next;
    k.printk("Out of memory and no killable processes...");
    return panic(k, "System is deadlocked on memory");
  },
});
