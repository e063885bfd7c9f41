import { findEndOfOnlyFirst, findNextOnlyFirst } from "../../flat/bitmap.ts";
import { BLOCKED } from "../../flat/procedure.ts";
import { isDone } from "../../linux/coco/platform.ts";
import { KERNEL_PROCEDURES, panic } from "../../linux/kernel.ts";
import { UNACCEPTED_MEMORY_LOCK } from "../../linux/unaccepted-memory.ts";
import { inWindow } from "./plugged-bits.ts";

const { v, at, define } = KERNEL_PROCEDURES.declare("unaccept_memory", {
  args: ["start", "size"],
  locals: ["runStart", "runEnd", "end"],
  steps: ["enter", "lock", "scan", "released"],
});

/**
 * unaccept_memory(start, size) in bytes: releases every plugged and accepted unit of the range and marks it
 * unaccepted.
 *
 * The spinlock is held with interrupts off from the first bit to the last TDCALL, and accepting_list is not
 * asked: both as posted. A range that is not whole units of the window is warned about and nothing is
 * released. Returns 0; a platform that fails to release panics, and so does every platform but TDX. Where the TD has no PAGE_RELEASE the platform answers
 * success without releasing, and the bits are set all the same.
 *
 * @source RFCv2 "Support memory hotplug/unplug for TDX CoCo guests", patch 4
 */
export const unacceptMemory = define({
  enter: (k, f) => {
    const { table } = k;
    if (table?.plugged === undefined) return f.returns(0);
    const start = f.get(v.start);
    if (!inWindow(table, start, f.get(v.size))) {
      k.printk("WARNING: unaccept_memory: range is not whole units of the unaccepted table");
      return f.returns(0);
    }
    f.set(v.runEnd, (start - table.physBase) / table.unitSize);
    f.set(v.end, f.get(v.runEnd) + f.get(v.size) / table.unitSize);
    return at.lock;
  },
  lock: (k, f) => {
    if (!k.locks.tryTake(UNACCEPTED_MEMORY_LOCK, f.task)) {
      k.stalls?.spins(f.vcpu);
      return BLOCKED;
    }
    k.stalls?.spun(f.vcpu);
    k.cpus.irqsOff[f.vcpu] = f.task + 1;
    k.stalls?.irqsOff(f.vcpu);
    return at.scan;
  },
  scan: (k, f) => {
    const table = k.table!;
    const end = f.get(v.end);
    // Plugged and not unaccepted.
    const runStart = findNextOnlyFirst(table.plugged!, table.unaccepted, end, f.get(v.runEnd));
    if (runStart >= end) {
      k.locks.release(UNACCEPTED_MEMORY_LOCK, f.task);
      k.cpus.irqsOff[f.vcpu] = 0;
      k.stalls?.irqsOn(f.vcpu, false);
      return f.returns(0);
    }
    const runEnd = findEndOfOnlyFirst(table.plugged!, table.unaccepted, end, runStart);
    f.set(v.runStart, runStart);
    f.set(v.runEnd, runEnd);
    const { physBase, unitSize } = table;
    return f.call(
      k.platform.release,
      at.released,
      physBase + runStart * unitSize,
      physBase + runEnd * unitSize,
    );
  },
  released: (k, f) => {
    if (!isDone(f.result)) return panic(k, "TDX: Failed to unaccept memory");
    k.table!.markUnaccepted(f.get(v.runStart), f.get(v.runEnd));
    return at.scan;
  },
});
