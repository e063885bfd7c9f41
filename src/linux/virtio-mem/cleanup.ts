import { KERNEL_PROCEDURES } from "../kernel.ts";
import { VM } from "./driver.ts";
import { dropMutex, takeMutex } from "./mutex.ts";
import { unplugAnyRaw } from "./sbm-unplug-offline.ts";
import { tryRemoveUnplugged } from "./sbm-unplug-online.ts";
import { SBM } from "./states.ts";

const RETRIED = [SBM.MOVABLE_PARTIAL, SBM.KERNEL_PARTIAL, SBM.OFFLINE_PARTIAL] as const;

const { v, at, define } = KERNEL_PROCEDURES.declare("virtio_mem_cleanup_pending_mb", {
  args: ["device"],
  locals: ["block", "phase", "failed"],
  steps: ["enter", "leftover", "unplugged", "lock", "remove", "removed"],
});

/**
 * Tidies up after earlier runs: (device). Blocks left plugged but not added are unplugged; then blocks of which
 * nothing is plugged are tried again to be removed, whose failures are kept for the next run.
 *
 * Returns 0, or the error of an unplug.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_cleanup_pending_mb
 */
export const cleanupPending = define({
  enter: (k, f) => {
    f.set(v.block, k.virtioMem[f.get(v.device)]!.layout.firstBlock);
    return at.leftover;
  },
  leftover: (k, f) => {
    const vm = k.virtioMem[f.get(v.device)]!;
    // The number of PLUGGED is the same in both modes.
    const block = vm.nextInState(SBM.PLUGGED, f.get(v.block));
    if (block >= 0) {
      f.set(v.block, block);
      return f.call(unplugAnyRaw, at.unplugged, f.get(v.device), block, vm.subBlocks);
    }
    if (!vm.has(VM.HAVE_UNPLUGGED_MB)) return f.returns(0);
    vm.words[VM.HAVE_UNPLUGGED_MB] = 0;
    f.set(v.block, vm.layout.firstBlock);
    return at.lock;
  },
  unplugged: (k, f) => {
    if (f.result < 0) return f.returns(f.result);
    const vm = k.virtioMem[f.get(v.device)]!;
    if (vm.layout.sbm) vm.sbmEvent(f.get(v.block), "leftover unplugged");
    else vm.bbmEvent(f.get(v.block), "leftover unplugged");
    return at.leftover;
  },
  lock: (k, f) => takeMutex(k, f, f.get(v.device), at.remove),
  remove: (k, f) => {
    const vm = k.virtioMem[f.get(v.device)]!;
    for (; f.get(v.phase) < RETRIED.length; f.set(v.phase, f.get(v.phase) + 1)) {
      const block = vm.nextInState(RETRIED[f.get(v.phase)]!, f.get(v.block));
      if (block >= 0) {
        f.set(v.block, block + 1);
        return f.call(tryRemoveUnplugged, at.removed, f.get(v.device), block);
      }
      f.set(v.block, vm.layout.firstBlock);
    }
    if (f.get(v.failed) !== 0) vm.words[VM.HAVE_UNPLUGGED_MB] = 1;
    dropMutex(k, f, f.get(v.device));
    return f.returns(0);
  },
  removed: (_k, f) => {
    if (f.result !== 0) f.set(v.failed, 1);
    return at.remove;
  },
});
