import { findNextClear, findNextSet } from "../../flat/bitmap.ts";
import type { EjectGuard } from "../../linux/design.ts";
import { ERRNO } from "../../linux/errno.ts";
import { KERNEL_PROCEDURES } from "../../linux/kernel.ts";
import { inWindow, setPlugged } from "../bitmaps/plugged-bits.ts";
import { adopt } from "./adopt.ts";
import { acceptGuard } from "./guard.ts";
import { leave } from "./leave.ts";
import { unitsOf } from "./units.ts";

const add = KERNEL_PROCEDURES.declare("tide_add_memory", {
  args: ["start", "size", "managed"],
  locals: [],
  steps: ["enter", "adopted", "guarded"],
});

/**
 * add_memory: a DIMM is plugged as a whole, which its presence says; what a driver manages has its bits already. After a
 * kexec so has a DIMM that the kernel before had, and both bitmaps tell the truth of it. That nothing else is there, the
 * resource tree has made sure of.
 *
 * Returns 0; -EINVAL for a range that no bits can stand for.
 */
export const addMemory = add.define({
  enter: (k, f) => {
    const start = f.get(add.v.start);
    const size = f.get(add.v.size);
    if (f.get(add.v.managed) !== 0) return f.returns(0);
    const { table } = k;
    if (table?.plugged === undefined || !inWindow(table, start, size)) return f.returns(ERRNO.EINVAL);
    return f.call(adopt, add.at.adopted, start, size);
  },
  adopted: (_k, f) => f.call(acceptGuard, add.at.guarded, f.get(add.v.start), f.get(add.v.size)),
  guarded: (_k, f) => f.returns(0),
});

const remove = KERNEL_PROCEDURES.declare("tide_remove_memory", {
  args: ["start", "size", "managed"],
  locals: [],
  steps: ["enter", "left"],
});

/**
 * The end of remove_memory, or of an add_memory that failed: everything of a DIMM that is accepted is given back,
 * whoever accepted it, and it counts as gone. If a part cannot be given back the DIMM stays plugged by its bits, which are true, and
 * stays in its slot. What a driver manages waits for the device.
 */
export const removeMemory = remove.define({
  enter: (_k, f) => {
    if (f.get(remove.v.managed) !== 0) return f.returns(0);
    return f.call(leave, remove.at.left, f.get(remove.v.start), f.get(remove.v.size));
  },
  left: (k, f) => {
    if (f.result === 0) setPlugged(k, f.get(remove.v.start), f.get(remove.v.size), false);
    else k.printk("tide: memory could not be given back, its DIMM stays");
    k.accepting.left(f.task);
    return f.returns(0);
  },
});

const again = KERNEL_PROCEDURES.declare("tide_give_back_again", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "left"],
});

/** An eject asks once more for what could not be given back: 0, or -EBUSY. */
const giveBackAgain = again.define({
  enter: (_k, f) => f.call(leave, again.at.left, f.get(again.v.start), f.get(again.v.size)),
  left: (k, f) => {
    const error = f.result;
    if (error === 0) setPlugged(k, f.get(again.v.start), f.get(again.v.size), false);
    k.accepting.left(f.task);
    return f.returns(error);
  },
});

/** Memory that left Linux and is plugged by its bits has not been given back. */
export const ejectGuard: EjectGuard = {
  holds: ({ table }, start, size) => {
    if (table?.plugged === undefined) return false;
    const [first, end] = unitsOf(table, start, size);
    return findNextSet(table.plugged, end, first) < end;
  },
  tryAgain: giveBackAgain,
};

const added = KERNEL_PROCEDURES.declare("tide_memory_added", {
  args: ["start", "size"],
  locals: ["next", "end"],
  steps: ["enter", "hide"],
});

/** Sub-blocks of a block that are not plugged leave the direct map before any page of the block is used. */
export const memoryAdded = added.define({
  enter: (k, f) => {
    if (k.table?.plugged === undefined) return f.returns(0);
    const [first, end] = unitsOf(k.table, f.get(added.v.start), f.get(added.v.size));
    f.set(added.v.next, first);
    f.set(added.v.end, end);
    return added.at.hide;
  },
  hide: (k, f) => {
    const { plugged, physBase, unitSize } = k.table!;
    const end = f.get(added.v.end);
    const first = findNextClear(plugged!, end, f.get(added.v.next));
    if (first >= end) return f.returns(0);
    const stop = findNextSet(plugged!, end, first);
    f.set(added.v.next, stop);
    return f.call(k.platform.hide, added.at.hide, physBase + first * unitSize, (stop - first) * unitSize);
  },
});
