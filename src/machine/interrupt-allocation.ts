import { ERRNO } from "../linux/errno.ts";
import { KERNEL_PROCEDURES } from "../linux/kernel.ts";
import { allocPages } from "../linux/page-allocator/alloc.ts";

/** Steps between two interrupts, so that what they interrupt gets on. */
const QUIET_STEPS = 61;

const { v, at, define } = KERNEL_PROCEDURES.declare("interrupt: allocate", {
  args: ["pages", "flags", "node", "owner"],
  locals: ["quiet"],
  steps: ["quiet", "arrive", "allocated"],
});

/**
 * Interrupts of a vCPU whose handlers allocate a page each: (pages, flags of GFP, node, owner). An interrupt arrives
 * wherever interrupts are on, and runs with interrupts off: until its handler returns, nothing else does on that vCPU.
 *
 * Returns 0, or -ENOMEM at the first page that cannot be had.
 *
 * @missing what handlers do with their pages, and other interrupts that arrive meanwhile
 */
export const allocateInInterrupts = define({
  quiet: (_k, f) => {
    if (f.get(v.pages) <= 0) return f.returns(0);
    f.set(v.quiet, f.get(v.quiet) + 1);
    return f.get(v.quiet) % QUIET_STEPS === 0 ? at.arrive : at.quiet;
  },
  arrive: (k, f) => {
    f.set(v.pages, f.get(v.pages) - 1);
    k.cpus.irqsOff[f.vcpu] = f.task + 1;
    k.stalls?.irqsOff(f.vcpu);
    return f.call(allocPages, at.allocated, 0, f.get(v.flags), f.get(v.node), f.get(v.owner));
  },
  allocated: (k, f) => {
    k.cpus.irqsOff[f.vcpu] = 0;
    k.stalls?.irqsOn(f.vcpu, false);
    return f.result < 0 ? f.returns(ERRNO.ENOMEM) : at.quiet;
  },
});
