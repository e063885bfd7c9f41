import { KERNEL_PROCEDURES } from "../kernel.ts";
import { allocPages } from "../page-allocator/alloc.ts";

/** Owner of the pages that the kernel took for itself while booting. */
export const KERNEL_OWNER = 0xfffd;

const { v, at, define } = KERNEL_PROCEDURES.declare("smp_init", {
  args: [],
  locals: ["done"],
  steps: ["next"],
});

/**
 * Brings up every vCPU but the first, as far as it allocates memory: boot.bringUpPages single pages each.
 * Watermarks are 0 still, so every one of these allocations accepts a whole chunk while any is listed.
 * Returns 0; pages that cannot be had are done without.
 *
 * @source Linux kernel/smp.c; mm/page_alloc.c, cond_accept_memory
 * @missing what the pages hold, and their touch
 */
export const smpInit = define({
  next: (k, f) => {
    const vcpus = k.cpus.irqsOff.length;
    if (f.get(v.done) >= (vcpus - 1) * k.boot.bringUpPages) return f.returns(0);
    f.set(v.done, f.get(v.done) + 1);
    return f.call(allocPages, at.next, 0, 0, 0, KERNEL_OWNER);
  },
});
