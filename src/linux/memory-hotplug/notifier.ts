import { BLOCKED } from "../../flat/procedure.ts";
import { faultAt } from "../fault-points.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import {
  virtioMemCancelOffline,
  virtioMemCancelOnline,
  virtioMemGoingOffline,
  virtioMemGoingOnline,
  virtioMemOffline,
  virtioMemOnline,
  WOULD_BLOCK,
} from "../virtio-mem/notifier.ts";

const online = KERNEL_PROCEDURES.declare("notify MEM_GOING_ONLINE", {
  args: ["block"],
  locals: ["device"],
  steps: ["enter", "device"],
});

/**
 * Tells the memory notifier chain that a block is about to go online: the design first, then the virtio-mem
 * devices in the order of their probing, which may have to wait for their mutex. The first veto ends the
 * chain; the caller then cancels for all of them.
 *
 * Returns 0 or the veto, a negative errno.
 *
 * @source Linux drivers/base/memory.c, memory_notify
 * @missing listeners that always agree: memory tiers, cpusets, slab, kasan, page_ext
 */
export const notifyGoingOnline = online.define({
  enter: (k, f) => {
    const { blockSize } = k.blocks;
    const start = f.get(online.v.block) * blockSize;
    return f.callIf(k.design.hooks.goingOnline, online.at.device, start, blockSize);
  },
  device: (k, f) => {
    const { v, at } = online;
    const device = f.get(v.device);
    // The first time round `result` is the design's answer; later it is 0, for a veto has returned.
    if (device === 0 && f.result < 0) return f.returns(f.result);
    if (device === k.virtioMem.length) return f.returns(faultAt(k, "MEM_GOING_ONLINE"));
    const answer = virtioMemGoingOnline(k, device, f.get(v.block), f.task);
    if (answer === WOULD_BLOCK) return BLOCKED;
    f.set(v.device, device + 1);
    return answer < 0 ? f.returns(answer) : at.device;
  },
});

const offline = KERNEL_PROCEDURES.declare("notify MEM_GOING_OFFLINE", {
  args: ["block"],
  locals: ["device"],
  steps: ["device"],
});

/** As notifyGoingOnline, for a block about to go offline. */
export const notifyGoingOffline = offline.define({
  device: (k, f) => {
    const { v, at } = offline;
    const device = f.get(v.device);
    if (device === k.virtioMem.length) return f.returns(faultAt(k, "MEM_GOING_OFFLINE"));
    const answer = virtioMemGoingOffline(k, device, f.get(v.block), f.task);
    if (answer === WOULD_BLOCK) return BLOCKED;
    f.set(v.device, device + 1);
    return answer < 0 ? f.returns(answer) : at.device;
  },
});

/** MEM_ONLINE, MEM_OFFLINE, MEM_CANCEL_ONLINE and MEM_CANCEL_OFFLINE cannot fail and never wait. */
const toAll =
  (tell: (k: Kernel, device: number, block: number, task: number) => void) =>
  (k: Kernel, block: number, task: number): void => {
    for (let device = 0; device < k.virtioMem.length; device++) tell(k, device, block, task);
  };
export const notifyOnline = toAll(virtioMemOnline);
export const notifyOffline = toAll(virtioMemOffline);
export const notifyCancelOnline = toAll(virtioMemCancelOnline);
export const notifyCancelOffline = toAll(virtioMemCancelOffline);
