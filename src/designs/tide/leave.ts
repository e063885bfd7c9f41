import { findEndOfOnlyFirst, findNextOnlyFirst } from "../../flat/bitmap.ts";
import { BLOCKED } from "../../flat/procedure.ts";
import { ERRNO } from "../../linux/errno.ts";
import { KERNEL_PROCEDURES } from "../../linux/kernel.ts";
import { giveBack } from "./give-back.ts";
import { unitsOf } from "./units.ts";

/** Units that are given back in one go: 128 MiB, so that nobody waits for long. */
const MOST_UNITS = 64;

const { v, at, define } = KERNEL_PROCEDURES.declare("tide_leave", {
  args: ["start", "size"],
  locals: ["next", "end", "stop"],
  steps: ["enter", "settle", "scan", "given"],
});

/**
 * Makes all of [start, start + size) bytes unaccepted, in hardware first and then by its bits. Nobody uses the
 * memory and it is not in the direct map.
 *
 * From the first step on the units are on the list of those that leave, where they stay when this returns: no accept
 * takes one of them as its guard. An accept that has one already is waited for; then only what is accepted is given back. Interrupts
 * are off from the call until its bits are set, as they are in an accept: a kexec stops no CPU in between.
 *
 * Returns 0, or -EBUSY when a part could not be given back: it stays accepted, and its bits say so.
 */
export const leave = define({
  enter: (k, f) => {
    const { table } = k;
    if (table?.plugged === undefined) return f.returns(0);
    const [first, end] = unitsOf(table, f.get(v.start), f.get(v.size));
    f.set(v.next, first);
    f.set(v.end, end);
    k.accepting.leave(f.task, first, end);
    return at.settle;
  },
  settle: (k, f) => {
    if (k.accepting.overlaps(f.get(v.next), f.get(v.end))) {
      k.stalls?.spins(f.vcpu);
      return BLOCKED;
    }
    k.stalls?.spun(f.vcpu);
    return at.scan;
  },
  scan: (k, f) => {
    const table = k.table!;
    const end = f.get(v.end);
    const first = findNextOnlyFirst(table.plugged!, table.unaccepted, end, f.get(v.next));
    if (first >= end) return f.returns(0);
    const runEnd = findEndOfOnlyFirst(table.plugged!, table.unaccepted, end, first);
    f.set(v.next, first);
    f.set(v.stop, Math.min(runEnd, first + MOST_UNITS));
    k.cpus.irqsOff[f.vcpu] = f.task + 1;
    k.stalls?.irqsOff(f.vcpu);
    const { physBase, unitSize } = table;
    return f.call(giveBack, at.given, physBase + first * unitSize, physBase + f.get(v.stop) * unitSize);
  },
  given: (k, f) => {
    if (f.result !== 0) k.table!.markUnaccepted(f.get(v.next), f.get(v.stop));
    k.cpus.irqsOff[f.vcpu] = 0;
    k.stalls?.irqsOn(f.vcpu, k.variant.touchesWatchdog);
    if (f.result === 0) return f.returns(ERRNO.EBUSY);
    f.set(v.next, f.get(v.stop));
    return at.scan;
  },
});
