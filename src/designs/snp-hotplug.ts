import { findNextClear, findNextSet } from "../flat/bitmap.ts";
import type { Frame, Next } from "../flat/procedure.ts";
import { isDone } from "../linux/coco/platform.ts";
import type { Design } from "../linux/design.ts";
import { KERNEL_PROCEDURES, type Kernel, panic } from "../linux/kernel.ts";
import type { UnacceptedTable } from "../linux/unaccepted-table.ts";

/** Units of the window that (start, size) bytes reach into: the first and the end; none: both 0. */
const unitsReached = (table: UnacceptedTable, start: number, size: number): readonly [number, number] => {
  const { physBase, unitSize, units } = table;
  if (start >= table.end || start + size < physBase) return [0, 0];
  const first = Math.floor((Math.max(start, physBase) - physBase) / unitSize);
  return [first, Math.min(units, Math.ceil((start + size - physBase) / unitSize))];
};

const add = KERNEL_PROCEDURES.declare("accept_hotplug_memory", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "accepted"],
});

/**
 * The end of add_memory: (start, size) is accepted by the platform, whatever any bit says, and bits inside the window are
 * cleared. Without a table nothing is accepted: to this kernel the machine has no unaccepted memory.
 */
const acceptAdded = add.define({
  enter: (k, f) => {
    const start = f.get(add.v.start);
    if (k.table === undefined) return f.returns(0);
    return f.call(k.platform.accept, add.at.accepted, start, start + f.get(add.v.size));
  },
  accepted: (k, f) => {
    if (!isDone(f.result)) return panic(k, k.platform.acceptPanic);
    const [first, end] = unitsReached(k.table!, f.get(add.v.start), f.get(add.v.size));
    if (first < end) k.table!.markAccepted(first, end);
    return f.returns(0);
  },
});

const remove = KERNEL_PROCEDURES.declare("unaccept_hotplug_memory", {
  args: ["start", "size"],
  locals: ["runStart", "runEnd", "end"],
  steps: ["enter", "scan", "given"],
});

/** arch_unaccept_memory(): on TDX it does nothing, since the VMM is to remove what it takes back. */
const giveBack = (k: Kernel, f: Frame<Kernel>, next: Next, start: number, end: number): Next => {
  const { rescind } = k.platform;
  return rescind === undefined || start >= end ? next : f.call(rescind, next, start, end);
};

/**
 * The start of remove_memory: what (start, size) has beyond the window is given back; inside, each run of units that was
 * accepted is, and its bits are set. The series holds a spinlock over all of it.
 */
const unacceptRemoved = remove.define({
  enter: (k, f) => {
    const { v, at } = remove;
    const { table } = k;
    if (table === undefined || !k.variant.rescindsAtRemoval) return f.returns(0);
    const [start, size] = [f.get(v.start), f.get(v.size)];
    const [first, end] = unitsReached(table, start, size);
    f.set(v.runEnd, first);
    f.set(v.end, end);
    return giveBack(k, f, at.scan, Math.max(start, table.end), start + size);
  },
  scan: (k, f) => {
    const { v, at } = remove;
    const { unaccepted, physBase, unitSize } = k.table!;
    const end = f.get(v.end);
    const from = findNextClear(unaccepted, end, f.get(v.runEnd));
    if (from >= end) return f.returns(0);
    const to = Math.min(end, findNextSet(unaccepted, end, from));
    f.set(v.runStart, from);
    f.set(v.runEnd, to);
    return giveBack(k, f, at.given, physBase + from * unitSize, physBase + to * unitSize);
  },
  given: (k, f) => {
    k.table!.markUnaccepted(f.get(remove.v.runStart), f.get(remove.v.runEnd));
    return remove.at.scan;
  },
});

/**
 * The hotplug series for SEV-SNP: all added memory is accepted at the end of add_memory and given back at the start of
 * remove_memory, whoever adds it.
 *
 * Known holes, not repaired here: sub-blocks that virtio-mem has not plugged are accepted with their block; a block that holds
 * its own memmap is written before it is accepted; a block is mapped above memory in use before it is accepted; nothing
 * waits unaccepted; a guest without an unaccepted table accepts nothing; what virtio-mem unplugs inside a block that stays is
 * not rescinded. On TDX nothing is given back at all, by intent: a VMM that keeps private pages meets its guest accepting them
 * again, and one that wants them released never gets them.
 *
 * @source "SEV-SNP Unaccepted Memory Hotplug" v4, 2026-02-03, both patches and their review
 */
export const snpHotplug: Design = {
  name: "snp-hotplug",
  title: "SNP series v4: all added memory is accepted at the end of add_memory",
  tableVersion: 1,
  stubScansSrat: false,
  hooks: { memoryAdded: acceptAdded, removeMemory: unacceptRemoved },
};
