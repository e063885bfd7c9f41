import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { addBlock } from "./add-block.ts";
import { fakeOnline } from "./fake-offline.ts";
import { dropMutex, takeMutex } from "./mutex.ts";
import { plugSubBlocks, unplugSubBlocks } from "./request.ts";
import { SBM } from "./states.ts";

const any = KERNEL_PROCEDURES.declare("virtio_mem_sbm_plug_any_sb", {
  args: ["device", "block", "left"],
  locals: ["subBlock", "count"],
  steps: ["next", "plugged", "full"],
});

/** Unplugged sub-blocks in a row from `first`, at most `most`. */
const runOfUnplugged = (k: Kernel, device: number, block: number, first: number, most: number): number => {
  const vm = k.virtioMem[device]!;
  let count = 1;
  while (count < most && first + count < vm.subBlocks && !vm.allPlugged(block, first + count, 1)) count++;
  return count;
};

/**
 * Plugs up to `left` missing sub-blocks of a block that is in Linux: (device, block, left), one request a run
 * of neighbours. In an online block the pages go online at once. The mutex is held.
 *
 * Returns how many are still to plug, or an error.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_sbm_plug_any_sb
 */
const plugAny = any.define({
  next: (k, f) => {
    const { v, at } = any;
    const vm = k.virtioMem[f.get(v.device)]!;
    const first = vm.firstUnplugged(f.get(v.block));
    if (f.get(v.left) === 0 || first >= vm.subBlocks) return at.full;
    const count = runOfUnplugged(k, f.get(v.device), f.get(v.block), first, f.get(v.left));
    f.set(v.subBlock, first);
    f.set(v.count, count);
    return f.call(plugSubBlocks, at.plugged, f.get(v.device), f.get(v.block), first, count);
  },
  plugged: (k, f) => {
    const { v, at } = any;
    if (f.result !== 0) return f.returns(f.result);
    const vm = k.virtioMem[f.get(v.device)]!;
    const count = f.get(v.count);
    f.set(v.left, f.get(v.left) - count);
    if (vm.stateOf(f.get(v.block)) === SBM.OFFLINE_PARTIAL) return at.next;
    const { pageSize } = k.geometry;
    const start = vm.addressOf(f.get(v.block), f.get(v.subBlock));
    const pages = (count * vm.layout.subBlockSize) / pageSize;
    return f.call(fakeOnline, at.next, start / pageSize, pages);
  },
  full: (k, f) => {
    const { v } = any;
    const vm = k.virtioMem[f.get(v.device)]!;
    if (vm.allPlugged(f.get(v.block), 0, vm.subBlocks)) vm.sbmEvent(f.get(v.block), "last sub-block plugged");
    return f.returns(f.get(v.left));
  },
});

const fresh = KERNEL_PROCEDURES.declare("virtio_mem_sbm_plug_and_add_mb", {
  args: ["device", "block", "left"],
  locals: ["count", "error"],
  steps: ["plug", "add", "added", "undone"],
});

/**
 * Plugs the first sub-blocks of an unused block in one request, then adds the block: (device, block, left).
 * It is marked offline before it is added, because it may go online inside. If adding fails the sub-blocks
 * are unplugged; if that fails too the block stays PLUGGED for a later run.
 *
 * Returns how many sub-blocks are still to plug, or an error.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_sbm_plug_and_add_mb
 */
const plugAndAdd = fresh.define({
  plug: (k, f) => {
    const { v, at } = fresh;
    f.set(v.count, Math.min(f.get(v.left), k.virtioMem[f.get(v.device)]!.subBlocks));
    return f.call(plugSubBlocks, at.add, f.get(v.device), f.get(v.block), 0, f.get(v.count));
  },
  add: (k, f) => {
    const { v, at } = fresh;
    if (f.result !== 0) return f.returns(f.result);
    const vm = k.virtioMem[f.get(v.device)]!;
    const whole = f.get(v.count) === vm.subBlocks;
    vm.sbmEvent(f.get(v.block), whole ? "plugged in full, to be added" : "plugged in part, to be added");
    return f.call(addBlock, at.added, f.get(v.device), f.get(v.block));
  },
  added: (_k, f) => {
    const { v, at } = fresh;
    if (f.result === 0) return f.returns(f.get(v.left) - f.get(v.count));
    f.set(v.error, f.result);
    return f.call(unplugSubBlocks, at.undone, f.get(v.device), f.get(v.block), 0, f.get(v.count));
  },
  undone: (k, f) => {
    const { v } = fresh;
    const event = f.result === 0 ? "add failed, unplugged" : "add failed, not unplugged";
    k.virtioMem[f.get(v.device)]!.sbmEvent(f.get(v.block), event);
    return f.returns(f.get(v.error));
  },
});

/** Blocks that lack sub-blocks are filled in this order before new ones are begun. */
const PARTIAL = [SBM.KERNEL_PARTIAL, SBM.MOVABLE_PARTIAL, SBM.OFFLINE_PARTIAL] as const;

const plug = KERNEL_PROCEDURES.declare("virtio_mem_sbm_plug_request", {
  args: ["device", "diff"],
  locals: ["left", "phase", "block"],
  steps: ["enter", "lock", "partial", "partialDone", "unused", "unusedDone", "fresh", "freshDone"],
});

/**
 * Plugs as many sub-blocks as fit into `diff` bytes: (device, diff). First those missing in blocks that are in
 * Linux, under the mutex; then blocks that were used before; then new ones, as long as not too much memory
 * is offline.
 *
 * Returns 0, -ENOSPC when no block is left or too much is offline, or the error of a request or of add_memory().
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_sbm_plug_request
 */
export const sbmPlug = plug.define({
  enter: (k, f) => {
    const { v, at } = plug;
    const vm = k.virtioMem[f.get(v.device)]!;
    f.set(v.left, Math.floor(f.get(v.diff) / vm.layout.subBlockSize));
    f.set(v.block, vm.layout.firstBlock);
    return f.get(v.left) === 0 ? f.returns(0) : at.lock;
  },
  lock: (k, f) => takeMutex(k, f, f.get(plug.v.device), plug.at.partial),
  partial: (k, f) => {
    const { v, at } = plug;
    const vm = k.virtioMem[f.get(v.device)]!;
    for (; f.get(v.phase) < PARTIAL.length; f.set(v.phase, f.get(v.phase) + 1)) {
      const block = vm.nextInState(PARTIAL[f.get(v.phase)]!, f.get(v.block));
      if (block >= 0) {
        f.set(v.block, block + 1);
        return f.call(plugAny, at.partialDone, f.get(v.device), block, f.get(v.left));
      }
      f.set(v.block, vm.layout.firstBlock);
    }
    dropMutex(k, f, f.get(v.device));
    return at.unused;
  },
  partialDone: (k, f) => {
    const { v, at } = plug;
    if (f.result > 0) {
      f.set(v.left, f.result);
      return at.partial;
    }
    dropMutex(k, f, f.get(v.device));
    return f.returns(f.result);
  },
  unused: (k, f) => {
    const { v, at } = plug;
    const vm = k.virtioMem[f.get(v.device)]!;
    const block = vm.nextInState(SBM.UNUSED, f.get(v.block));
    if (block < 0) return at.fresh;
    if (!vm.couldAdd(vm.layout.blockSize)) return f.returns(ERRNO.ENOSPC);
    f.set(v.block, block + 1);
    return f.call(plugAndAdd, at.unusedDone, f.get(v.device), block, f.get(v.left));
  },
  unusedDone: (_k, f) => {
    const { v, at } = plug;
    f.set(v.left, f.result);
    return f.result > 0 ? at.unused : f.returns(f.result);
  },
  fresh: (k, f) => {
    const { v, at } = plug;
    const vm = k.virtioMem[f.get(v.device)]!;
    if (!vm.couldAdd(vm.layout.blockSize)) return f.returns(ERRNO.ENOSPC);
    const block = vm.prepareNextBlock();
    if (block < 0) return f.returns(ERRNO.ENOSPC);
    return f.call(plugAndAdd, at.freshDone, f.get(v.device), block, f.get(v.left));
  },
  freshDone: (_k, f) => {
    f.set(plug.v.left, f.result);
    return f.result > 0 ? plug.at.fresh : f.returns(f.result);
  },
});
