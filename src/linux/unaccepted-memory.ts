import { findEndOfBoth, findNextBoth, findNextClear, findNextSet, getBit } from "../flat/bitmap.ts";
import { BLOCKED, type Frame, type Next } from "../flat/procedure.ts";
import { isDone } from "./coco/platform.ts";
import { KERNEL_PROCEDURES, type Kernel, panic } from "./kernel.ts";
import { lockNumber } from "./locks.ts";
import type { UnacceptedTable } from "./unaccepted-table.ts";

/** Guards bitmaps and accepting_list. Taken and dropped inside one step here; RFCv2 holds it for longer. */
export const UNACCEPTED_MEMORY_LOCK = lockNumber("unaccepted_memory_lock");

/** Result of clampToWindow: bytes relative to phys_base, [0] start, [1] end. */
const clamped = new Float64Array(2);

/**
 * Steps that accept_memory() and the contains-check share: page alignment (newer kernels), clamping to
 * the window, and the guard unit behind a unit-aligned end.
 *
 * The guard exists because load_unaligned_zeropad() may read past the last page of a range and cannot
 * recover from an EPT violation on unaccepted memory.
 *
 * @returns false if the range ends below the window
 */
const clampToWindow = (k: Kernel, table: UnacceptedTable, from: number, size: number): boolean => {
  const { pageSize } = k.geometry;
  let start = from;
  let end = from + size;
  if (k.variant.pageAlignsRanges) {
    end += (pageSize - (end % pageSize)) % pageSize;
    start -= start % pageSize;
  }
  if (start < table.physBase) start = table.physBase;
  // Strict, as in the kernel: a range that ends at phys_base goes on and meets its guard, unit 0.
  if (end < table.physBase) return false;
  start -= table.physBase;
  end -= table.physBase;
  if (end % table.unitSize === 0 && !k.accepting.isLeaving(end / table.unitSize)) end += table.unitSize;
  clamped[0] = start;
  clamped[1] = Math.min(end, table.units * table.unitSize);
  return true;
};

/** First unit at or above `from` that is unaccepted and, where the table knows, plugged; `end` if none. */
const nextUnaccepted = ({ unaccepted, plugged }: UnacceptedTable, from: number, end: number): number =>
  plugged === undefined ? findNextSet(unaccepted, end, from) : findNextBoth(unaccepted, plugged, end, from);

/** End of the run of units that accept can take at once, starting at a unit that nextUnaccepted() found. */
const runEnd = ({ unaccepted, plugged }: UnacceptedTable, from: number, end: number): number =>
  plugged === undefined
    ? findNextClear(unaccepted, end, from)
    : findEndOfBoth(unaccepted, plugged, end, from);

const isUnaccepted = ({ unaccepted, plugged }: UnacceptedTable, unit: number): boolean =>
  getBit(unaccepted, unit) && (plugged === undefined || getBit(plugged, unit));

/**
 * range_contains_unaccepted_memory(): whether some unit of the range, or its guard, is unaccepted.
 * It steps a unit at a time from the unaligned start, as the kernel does, and so can miss the last unit.
 *
 * @param start guest-physical bytes @param size bytes
 * @source Linux drivers/firmware/efi/unaccepted_memory.c
 */
export const rangeContainsUnacceptedMemory = (k: Kernel, start: number, size: number): boolean => {
  const { table } = k;
  if (table === undefined || !clampToWindow(k, table, start, size)) return false;
  const end = clamped[1]!;
  for (let at = clamped[0]!; at < end; at += table.unitSize) {
    if (isUnaccepted(table, Math.floor(at / table.unitSize))) return true;
  }
  return false;
};

const accept = KERNEL_PROCEDURES.declare("accept_memory", {
  args: ["start", "size"],
  locals: ["first", "end", "runStart", "runEnd", "irqs"],
  steps: ["enter", "register", "scan", "accepted"],
});

/** Interrupts are as they were before: on, or off where the caller is an interrupt's handler itself. */
const restoreIrqs = (k: Kernel, vcpu: number, before: number): void => {
  k.cpus.irqsOff[vcpu] = before;
  if (before === 0) k.stalls?.irqsOn(vcpu, k.variant.touchesWatchdog);
};

/** The step has to be tried again: somebody else has what it needs, and the vCPU does nothing else. */
const spin = (k: Kernel, f: Frame<Kernel>): Next => {
  k.stalls?.spins(f.vcpu);
  return BLOCKED;
};

const isHeldByOther = ({ locks }: Kernel, task: number): boolean =>
  !locks.isFree(UNACCEPTED_MEMORY_LOCK) && !locks.heldBy(UNACCEPTED_MEMORY_LOCK, task);

/**
 * accept_memory(start, size) in bytes: accepts every unaccepted unit that the range and its guard touch.
 *
 * The range is registered in accepting_list, each run of set bits is accepted by the platform with
 * interrupts off but without the lock, and its bits are cleared only after that. Overlapping requests spin.
 * Returns 0; it never fails to its caller: it succeeds or the machine panics.
 *
 * @source Linux drivers/firmware/efi/unaccepted_memory.c; the AND with the plugged bitmap: RFCv2 patch 3
 */
export const acceptMemory = accept.define({
  enter: (k, f) => {
    const { v, at } = accept;
    const { table } = k;
    if (table === undefined || !clampToWindow(k, table, f.get(v.start), f.get(v.size))) return f.returns(0);
    return at.register;
  },
  register: (k, f) => {
    const { v, at } = accept;
    if (!k.locks.isFree(UNACCEPTED_MEMORY_LOCK)) return spin(k, f);
    // Under the lock: whether the guard leaves may have changed until now.
    const table = k.table!;
    clampToWindow(k, table, f.get(v.start), f.get(v.size));
    f.set(v.first, Math.floor(clamped[0]! / table.unitSize));
    f.set(v.end, Math.ceil(clamped[1]! / table.unitSize));
    const touching = !k.variant.comparesRangesExactly;
    if (k.accepting.overlaps(f.get(v.first), f.get(v.end), touching)) return spin(k, f);
    k.stalls?.spun(f.vcpu);
    k.accepting.insert(f.task, f.get(v.first), f.get(v.end));
    if (!k.variant.acceptsOutsideLock) k.locks.tryTake(UNACCEPTED_MEMORY_LOCK, f.task);
    f.set(v.irqs, k.cpus.irqsOff[f.vcpu]!);
    k.cpus.irqsOff[f.vcpu] = f.task + 1;
    k.stalls?.irqsOff(f.vcpu);
    f.set(v.runEnd, f.get(v.first));
    return at.scan;
  },
  scan: (k, f) => {
    const { v, at } = accept;
    if (isHeldByOther(k, f.task)) return spin(k, f);
    k.stalls?.spun(f.vcpu);
    const table = k.table!;
    const end = f.get(v.end);
    const runStart = f.get(v.runEnd) < end ? nextUnaccepted(table, f.get(v.runEnd), end) : end;
    if (runStart >= end) {
      k.accepting.remove(f.task);
      if (!k.variant.acceptsOutsideLock) k.locks.release(UNACCEPTED_MEMORY_LOCK, f.task);
      restoreIrqs(k, f.vcpu, f.get(v.irqs));
      return f.returns(0);
    }
    const stop = runEnd(table, runStart, end);
    f.set(v.runStart, runStart);
    f.set(v.runEnd, stop);
    if (!k.variant.irqsOffWhileAccepting) restoreIrqs(k, f.vcpu, f.get(v.irqs));
    const { physBase, unitSize } = table;
    return f.call(k.platform.accept, at.accepted, physBase + runStart * unitSize, physBase + stop * unitSize);
  },
  accepted: (k, f) => {
    const { v, at } = accept;
    if (!isDone(f.result)) return panic(k, k.platform.acceptPanic);
    if (isHeldByOther(k, f.task)) return spin(k, f);
    k.stalls?.spun(f.vcpu);
    k.cpus.irqsOff[f.vcpu] = f.task + 1;
    k.stalls?.irqsOff(f.vcpu);
    k.table!.markAccepted(f.get(v.runStart), f.get(v.runEnd));
    return at.scan;
  },
});
