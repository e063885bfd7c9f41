import type { Frame } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { VM } from "./driver.ts";
import { dropMutex, takeMutex } from "./mutex.ts";
import { unplugOffline } from "./sbm-unplug-offline.ts";
import { unplugOnline } from "./sbm-unplug-online.ts";
import { SBM } from "./states.ts";

/** Offline blocks first, then those that lack sub-blocks already, movable ones before others. */
const ORDER = [
  SBM.OFFLINE_PARTIAL,
  SBM.OFFLINE,
  SBM.MOVABLE_PARTIAL,
  SBM.KERNEL_PARTIAL,
  SBM.MOVABLE,
  SBM.KERNEL,
] as const;
const OFFLINE_PHASES = 2;

const unplug = KERNEL_PROCEDURES.declare("virtio_mem_sbm_unplug_request", {
  args: ["device", "diff"],
  locals: ["left", "phase", "block"],
  steps: ["enter", "lock", "next", "done"],
});

const finish = (k: Kernel, f: Frame<Kernel>, answer: number): number => {
  dropMutex(k, f, f.get(unplug.v.device));
  return f.returns(answer);
};

/**
 * Unplugs as many sub-blocks as fit into `diff` bytes: (device, diff); high blocks first within each state.
 * The mutex is free for a moment between two blocks.
 *
 * Returns 0; also 0 with unplug_online=N when only online memory is left; -EBUSY when not everything could
 * be unplugged; or the error of a request.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_sbm_unplug_request
 */
export const sbmUnplug = unplug.define({
  enter: (k, f) => {
    const { v, at } = unplug;
    const vm = k.virtioMem[f.get(v.device)]!;
    f.set(v.left, Math.floor(f.get(v.diff) / vm.layout.subBlockSize));
    f.set(v.block, vm.words[VM.NEXT_BLOCK]!);
    return f.get(v.left) === 0 ? f.returns(0) : at.lock;
  },
  lock: (k, f) => takeMutex(k, f, f.get(unplug.v.device), unplug.at.next),
  next: (k, f) => {
    const { v, at } = unplug;
    const vm = k.virtioMem[f.get(v.device)]!;
    for (; f.get(v.phase) < ORDER.length; f.set(v.phase, f.get(v.phase) + 1)) {
      if (f.get(v.phase) === OFFLINE_PHASES && !k.options.unplugOnline) return finish(k, f, 0);
      const block = vm.previousInState(ORDER[f.get(v.phase)]!, f.get(v.block) - 1);
      if (block >= 0) {
        f.set(v.block, block);
        const part = f.get(v.phase) < OFFLINE_PHASES ? unplugOffline : unplugOnline;
        return f.call(part, at.done, f.get(v.device), block, f.get(v.left));
      }
      f.set(v.block, vm.words[VM.NEXT_BLOCK]!);
    }
    return finish(k, f, ERRNO.EBUSY);
  },
  done: (k, f) => {
    const { v, at } = unplug;
    if (f.result <= 0) return finish(k, f, f.result);
    f.set(v.left, f.result);
    dropMutex(k, f, f.get(v.device));
    return at.lock;
  },
});
