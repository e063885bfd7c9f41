import { findNextClear, findNextSet } from "../../flat/bitmap.ts";
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
 * whoever accepted it, and it counts as gone. What cannot be given back keeps the bits "not unaccepted, not plugged", and
 * who adds memory there again has to look. What a driver manages waits for the device.
 */
export const removeMemory = remove.define({
  enter: (_k, f) => {
    if (f.get(remove.v.managed) !== 0) return f.returns(0);
    return f.call(leave, remove.at.left, f.get(remove.v.start), f.get(remove.v.size));
  },
  left: (k, f) => {
    if (f.result !== 0) k.printk("tide: memory that could not be given back may stay accepted");
    setPlugged(k, f.get(remove.v.start), f.get(remove.v.size), false);
    k.accepting.left(f.task);
    return f.returns(0);
  },
});

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
