import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES } from "../kernel.ts";
import { addMemory } from "../memory-hotplug/add-memory.ts";
import { MHP, mhpFlags } from "../memory-hotplug/mhp-flags.ts";
import { offlineAndRemoveMemory } from "../memory-hotplug/offline-and-remove.ts";
import { devPrint } from "./dev-printk.ts";
import { VM } from "./driver.ts";

/** Name of the memory that the driver adds; tools that load the next kernel leave it out. */
const RESOURCE_NAME = "System RAM (virtio_mem)";

const add = KERNEL_PROCEDURES.declare("virtio_mem_add_memory", {
  args: ["device", "block"],
  locals: [],
  steps: ["enter", "added"],
});

/**
 * Adds a block to Linux: (device, block). It counts as offline memory before, because it may go online inside
 * add_memory(). The mutex is not held. Returns 0 or the error of add_memory().
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_add_memory
 */
export const addBlock = add.define({
  enter: (k, f) => {
    const { v, at } = add;
    const vm = k.virtioMem[f.get(v.device)]!;
    const { blockSize } = vm.layout;
    vm.words[VM.OFFLINE_SIZE]! += blockSize;
    const flags = mhpFlags(k, MHP.MERGE_RESOURCE | MHP.NID_IS_MGID, RESOURCE_NAME);
    return f.call(addMemory, at.added, vm.words[VM.GROUP]!, vm.addressOf(f.get(v.block)), blockSize, flags);
  },
  added: (k, f) => {
    if (f.result === 0) return f.returns(0);
    const vm = k.virtioMem[f.get(add.v.device)]!;
    vm.words[VM.OFFLINE_SIZE]! -= vm.layout.blockSize;
    devPrint(k, vm, `adding memory failed: ${f.result}`);
    return f.returns(f.result);
  },
});

const remove = KERNEL_PROCEDURES.declare("virtio_mem_offline_and_remove_memory", {
  args: ["device", "block"],
  locals: [],
  steps: ["enter", "removed"],
});

/**
 * Offlines and removes a block: (device, block). The mutex is not held. Success queues the work again, for
 * there may be memory now that can be unplugged. Returns 0, -ENOMEM, or -EBUSY for every other failure.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_offline_and_remove_memory
 */
export const offlineAndRemoveBlock = remove.define({
  enter: (k, f) => {
    const vm = k.virtioMem[f.get(remove.v.device)]!;
    const start = vm.addressOf(f.get(remove.v.block));
    return f.call(offlineAndRemoveMemory, remove.at.removed, start, vm.layout.blockSize);
  },
  removed: (k, f) => {
    if (f.result !== 0) return f.returns(f.result === ERRNO.ENOMEM ? ERRNO.ENOMEM : ERRNO.EBUSY);
    const vm = k.virtioMem[f.get(remove.v.device)]!;
    vm.words[VM.OFFLINE_SIZE]! -= vm.layout.blockSize;
    vm.retry();
    return f.returns(0);
  },
});
