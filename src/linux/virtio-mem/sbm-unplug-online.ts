import { BLOCKED, type Frame } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { virtioMemMutex } from "../locks.ts";
import { offlineAndRemoveBlock } from "./add-block.ts";
import { VM } from "./driver.ts";
import { fakeOffline, fakeOnline } from "./fake-offline.ts";
import { dropMutex } from "./mutex.ts";
import { unplugSubBlocks } from "./request.ts";

const one = KERNEL_PROCEDURES.declare("virtio_mem_sbm_unplug_sb_online", {
  args: ["device", "block", "subBlock", "count"],
  locals: ["error"],
  steps: ["enter", "isolated", "unplugged", "restored"],
});

/** First frame of a frame's sub-blocks, and how many pages they have. */
const pfnOf = (k: Kernel, f: Frame<Kernel>): number => {
  const vm = k.virtioMem[f.get(one.v.device)]!;
  return vm.addressOf(f.get(one.v.block), f.get(one.v.subBlock)) / k.geometry.pageSize;
};
const pagesOf = (k: Kernel, f: Frame<Kernel>): number => {
  const { subBlockSize } = k.virtioMem[f.get(one.v.device)]!.layout;
  return (f.get(one.v.count) * subBlockSize) / k.geometry.pageSize;
};

/**
 * Unplugs sub-blocks of an online block: (device, block, subBlock, count). Their pages are taken out of use
 * first, and given back if the request fails. Returns 0 or an error; -EBUSY: the pages are in use.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_sbm_unplug_sb_online
 */
const unplugOnlineSubBlocks = one.define({
  enter: (k, f) => f.call(fakeOffline, one.at.isolated, f.get(one.v.device), pfnOf(k, f), pagesOf(k, f)),
  isolated: (_k, f) => {
    const { v, at } = one;
    if (f.result !== 0) return f.returns(f.result);
    const device = f.get(v.device);
    return f.call(unplugSubBlocks, at.unplugged, device, f.get(v.block), f.get(v.subBlock), f.get(v.count));
  },
  unplugged: (k, f) => {
    const { v, at } = one;
    if (f.result === 0) {
      k.virtioMem[f.get(v.device)]!.sbmEvent(f.get(v.block), "sub-block unplugged");
      return f.returns(0);
    }
    f.set(v.error, f.result);
    return f.call(fakeOnline, at.restored, pfnOf(k, f), pagesOf(k, f));
  },
  restored: (_k, f) => f.returns(f.get(one.v.error)),
});

const tidy = KERNEL_PROCEDURES.declare("virtio_mem_sbm_try_remove_unplugged_mb", {
  args: ["device", "block"],
  locals: ["answer"],
  steps: ["enter", "removed", "retake"],
});

/**
 * Offlines and removes a block of which nothing is plugged any more: (device, block). The mutex is held, and
 * dropped meanwhile. Returns 0 if that was done or something is still plugged, else the error.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_sbm_try_remove_unplugged_mb
 */
export const tryRemoveUnplugged = tidy.define({
  enter: (k, f) => {
    const { v, at } = tidy;
    const vm = k.virtioMem[f.get(v.device)]!;
    if (!vm.allUnplugged(f.get(v.block), 0, vm.subBlocks)) return f.returns(0);
    dropMutex(k, f, f.get(v.device));
    return f.call(offlineAndRemoveBlock, at.removed, f.get(v.device), f.get(v.block));
  },
  removed: (_k, f) => {
    f.set(tidy.v.answer, f.result);
    return tidy.at.retake;
  },
  retake: (k, f) => {
    const { v } = tidy;
    if (!k.locks.tryTake(virtioMemMutex(f.get(v.device)), f.task)) return BLOCKED;
    if (f.get(v.answer) === 0) k.virtioMem[f.get(v.device)]!.sbmEvent(f.get(v.block), "removed");
    return f.returns(f.get(v.answer));
  },
});

const on = KERNEL_PROCEDURES.declare("virtio_mem_sbm_unplug_any_sb_online", {
  args: ["device", "block", "left"],
  locals: ["subBlock"],
  steps: ["enter", "whole", "next", "single", "tidy", "done"],
});

/**
 * Unplugs from an online block: (device, block, left). All of it at once if that much is wanted and all of
 * it is plugged; otherwise, or if some of it is busy, sub-block by sub-block from the high end, skipping busy
 * ones. When nothing is left the block is removed; if that fails it is tried again by a later run.
 *
 * Mutex held. Returns how many sub-blocks are still to unplug, or an error.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_sbm_unplug_any_sb_online
 */
export const unplugOnline = on.define({
  enter: (k, f) => {
    const { v, at } = on;
    const vm = k.virtioMem[f.get(v.device)]!;
    const block = f.get(v.block);
    f.set(v.subBlock, vm.subBlocks - 1);
    if (f.get(v.left) < vm.subBlocks || !vm.allPlugged(block, 0, vm.subBlocks)) return at.next;
    return f.call(unplugOnlineSubBlocks, at.whole, f.get(v.device), block, 0, vm.subBlocks);
  },
  whole: (k, f) => {
    const { v, at } = on;
    if (f.result === ERRNO.EBUSY) return at.next;
    if (f.result !== 0) return f.returns(f.result);
    f.set(v.left, f.get(v.left) - k.virtioMem[f.get(v.device)]!.subBlocks);
    return at.tidy;
  },
  next: (k, f) => {
    const { v, at } = on;
    const vm = k.virtioMem[f.get(v.device)]!;
    const block = f.get(v.block);
    let subBlock = f.get(v.subBlock);
    while (subBlock >= 0 && !vm.allPlugged(block, subBlock, 1)) subBlock--;
    if (subBlock < 0 || f.get(v.left) === 0) return at.tidy;
    f.set(v.subBlock, subBlock - 1);
    return f.call(unplugOnlineSubBlocks, at.single, f.get(v.device), block, subBlock, 1);
  },
  single: (_k, f) => {
    const { v, at } = on;
    if (f.result !== 0 && f.result !== ERRNO.EBUSY) return f.returns(f.result);
    if (f.result === 0) f.set(v.left, f.get(v.left) - 1);
    return at.next;
  },
  tidy: (_k, f) => f.call(tryRemoveUnplugged, on.at.done, f.get(on.v.device), f.get(on.v.block)),
  done: (k, f) => {
    if (f.result !== 0) k.virtioMem[f.get(on.v.device)]!.words[VM.HAVE_UNPLUGGED_MB] = 1;
    return f.returns(f.get(on.v.left));
  },
});
