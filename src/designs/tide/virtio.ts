import { VIRTIO_MEM_RESPONSE } from "../../abi/virtio-mem/response.ts";
import { ERRNO } from "../../linux/errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../../linux/kernel.ts";
import { inWindow, setPlugged } from "../bitmaps/plugged-bits.ts";
import { adopt } from "./adopt.ts";
import { acceptGuard } from "./guard.ts";
import { leave } from "./leave.ts";
import { unitsOf } from "./units.ts";

const before = KERNEL_PROCEDURES.declare("tide_virtio_plug", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter"],
});

/** Before PLUG: memory that no bit can stand for is not asked for. -ENOSPC ends the run and breaks nothing. */
export const virtioPlug = before.define({
  enter: (k, f) => {
    const { table } = k;
    const known = table !== undefined && inWindow(table, f.get(before.v.start), f.get(before.v.size));
    if (!known) k.printk("tide: device memory lies outside the unaccepted table and is not plugged");
    return f.returns(known ? 0 : ERRNO.ENOSPC);
  },
});

const mapped = KERNEL_PROCEDURES.declare("tide_map", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "show", "shown"],
});

/** Puts plugged memory into the direct map, if it is in Linux at all; its first unit may have to be a guard. */
const map = mapped.define({
  enter: (_k, f) => f.call(acceptGuard, mapped.at.show, f.get(mapped.v.start), f.get(mapped.v.size)),
  show: (k, f) => f.call(k.platform.show, mapped.at.shown, f.get(mapped.v.start), f.get(mapped.v.size)),
  shown: (_k, f) => f.returns(0),
});

const after = KERNEL_PROCEDURES.declare("tide_virtio_plugged", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "adopted", "mapped"],
});

/** After PLUG: the sub-blocks that were plugged, and no others, get their bits. */
export const virtioPlugged = after.define({
  enter: (k, f) => {
    if (k.table === undefined) return f.returns(0);
    return f.call(adopt, after.at.adopted, f.get(after.v.start), f.get(after.v.size));
  },
  adopted: (_k, f) => f.call(map, after.at.mapped, f.get(after.v.start), f.get(after.v.size)),
  mapped: (_k, f) => f.returns(0),
});

const unplug = KERNEL_PROCEDURES.declare("tide_virtio_unplug", {
  args: ["start", "size"],
  locals: ["error"],
  steps: ["enter", "hidden", "left", "restored"],
});

/** Before UNPLUG: out of the direct map, then given back. If that fails nothing is sent, and a later run tries again. */
export const virtioUnplug = unplug.define({
  enter: (k, f) => f.call(k.platform.hide, unplug.at.hidden, f.get(unplug.v.start), f.get(unplug.v.size)),
  hidden: (_k, f) => f.call(leave, unplug.at.left, f.get(unplug.v.start), f.get(unplug.v.size)),
  left: (k, f) => {
    if (f.result === 0) return f.returns(0);
    f.set(unplug.v.error, f.result);
    k.accepting.left(f.task);
    return f.call(map, unplug.at.restored, f.get(unplug.v.start), f.get(unplug.v.size));
  },
  restored: (_k, f) => f.returns(f.get(unplug.v.error)),
});

const answered = KERNEL_PROCEDURES.declare("tide_virtio_unplugged", {
  args: ["start", "size", "response"],
  locals: [],
  steps: ["enter", "mapped"],
});

/** After UNPLUG: gone, or back in the direct map, unaccepted. */
export const virtioUnplugAnswered = answered.define({
  enter: (k, f) => {
    const { start, size, response } = answered.v;
    const gone = f.get(response) === VIRTIO_MEM_RESPONSE.ACK;
    if (gone) setPlugged(k, f.get(start), f.get(size), false);
    k.accepting.left(f.task);
    return gone ? f.returns(0) : f.call(map, answered.at.mapped, f.get(start), f.get(size));
  },
  mapped: (_k, f) => f.returns(0),
});

const all = KERNEL_PROCEDURES.declare("tide_virtio_unplug_all", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "left"],
});

/** Before UNPLUG_ALL: what an earlier kernel had plugged and accepted is given back. Nothing of it is in Linux. */
export const virtioUnplugAll = all.define({
  enter: (_k, f) => f.call(leave, all.at.left, f.get(all.v.start), f.get(all.v.size)),
  left: (k, f) => {
    if (f.result !== 0) k.accepting.left(f.task);
    return f.returns(f.result);
  },
});

/** Clears the plugged bits of what of a region the table covers; a region need not be whole units. */
const forget = (k: Kernel, start: number, size: number): void => {
  const { table } = k;
  if (table?.plugged === undefined) return;
  const [first, end] = unitsOf(table, start, size);
  if (first < end) table.markPlugged(first, end, false);
};

const allAnswered = KERNEL_PROCEDURES.declare("tide_virtio_unplugged_all", {
  args: ["start", "size", "response"],
  locals: [],
  steps: ["enter"],
});

export const virtioUnplugAllAnswered = allAnswered.define({
  enter: (k, f) => {
    const { start, size, response } = allAnswered.v;
    if (f.get(response) === VIRTIO_MEM_RESPONSE.ACK) forget(k, f.get(start), f.get(size));
    k.accepting.left(f.task);
    return f.returns(0);
  },
});
