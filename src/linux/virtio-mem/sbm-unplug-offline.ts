import { BLOCKED } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES, panic } from "../kernel.ts";
import { virtioMemMutex } from "../locks.ts";
import { removeMemory } from "../memory-hotplug/remove-memory.ts";
import { VM } from "./driver.ts";
import { dropMutex } from "./mutex.ts";
import { unplugSubBlocks } from "./request.ts";

const raw = KERNEL_PROCEDURES.declare("virtio_mem_sbm_unplug_any_sb_raw", {
  args: ["device", "block", "left"],
  locals: ["subBlock", "count"],
  steps: ["enter", "next", "unplugged"],
});

/**
 * Unplugs up to `left` sub-blocks of a block whose pages nobody uses: (device, block, left), in runs from the
 * high end down, one request a run. Returns how many are still to unplug, or an error.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_sbm_unplug_any_sb_raw
 */
export const unplugAnyRaw = raw.define({
  enter: (k, f) => {
    f.set(raw.v.subBlock, k.virtioMem[f.get(raw.v.device)]!.subBlocks - 1);
    return raw.at.next;
  },
  next: (k, f) => {
    const { v, at } = raw;
    const vm = k.virtioMem[f.get(v.device)]!;
    const block = f.get(v.block);
    let first = f.get(v.subBlock);
    while (first >= 0 && !vm.allPlugged(block, first, 1)) first--;
    if (first < 0 || f.get(v.left) === 0) return f.returns(f.get(v.left));
    let count = 1;
    for (; count < f.get(v.left) && first > 0 && vm.allPlugged(block, first - 1, 1); count++) first--;
    f.set(v.subBlock, first - 1);
    f.set(v.count, count);
    return f.call(unplugSubBlocks, at.unplugged, f.get(v.device), block, first, count);
  },
  unplugged: (_k, f) => {
    if (f.result !== 0) return f.returns(f.result);
    f.set(raw.v.left, f.get(raw.v.left) - f.get(raw.v.count));
    return raw.at.next;
  },
});

const off = KERNEL_PROCEDURES.declare("virtio_mem_sbm_unplug_any_sb_offline", {
  args: ["device", "block", "left"],
  locals: [],
  steps: ["enter", "unplugged", "removed", "retake"],
});

/** Unplugs from an offline block and removes it when nothing of it is left. Mutex held; returns as above. */
export const unplugOffline = off.define({
  enter: (_k, f) => {
    const { v, at } = off;
    return f.call(unplugAnyRaw, at.unplugged, f.get(v.device), f.get(v.block), f.get(v.left));
  },
  unplugged: (k, f) => {
    const { v, at } = off;
    const vm = k.virtioMem[f.get(v.device)]!;
    const block = f.get(v.block);
    // Some may be gone even if a later request failed.
    if (!vm.allPlugged(block, 0, vm.subBlocks)) vm.sbmEvent(block, "sub-block unplugged");
    if (f.result < 0 || !vm.allUnplugged(block, 0, vm.subBlocks)) return f.returns(f.result);
    f.set(v.left, f.result);
    // UNUSED first, so that whoever would online it now is denied while the mutex is free.
    vm.sbmEvent(block, "removed");
    dropMutex(k, f, f.get(v.device));
    return f.call(removeMemory, at.removed, vm.addressOf(block), vm.layout.blockSize);
  },
  removed: (k, f) => {
    if (f.result !== 0) return panic(k, "kernel BUG at drivers/virtio/virtio_mem.c: offline memory stays");
    const vm = k.virtioMem[f.get(off.v.device)]!;
    vm.words[VM.OFFLINE_SIZE]! -= vm.layout.blockSize;
    vm.retry();
    return off.at.retake;
  },
  retake: (k, f) => {
    const { v } = off;
    if (!k.locks.tryTake(virtioMemMutex(f.get(v.device)), f.task)) return BLOCKED;
    return f.returns(f.get(v.left));
  },
});
