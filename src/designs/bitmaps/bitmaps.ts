import { VIRTIO_MEM_RESPONSE } from "../../abi/virtio-mem/response.ts";
import type { Design } from "../../linux/design.ts";
import { KERNEL_PROCEDURES } from "../../linux/kernel.ts";
import { acceptMemory } from "../../linux/unaccepted-memory.ts";
import { setPlugged } from "./plugged-bits.ts";
import { unacceptMemory } from "./unaccept-memory.ts";

/** A hook that sets or clears plugged bits and answers 0 or -EINVAL. */
const pluggedHook = (name: string, plugged: boolean) => {
  const { v, define } = KERNEL_PROCEDURES.declare(name, {
    args: ["start", "size"],
    locals: [],
    steps: ["enter"],
  });
  return define({ enter: (k, f) => f.returns(setPlugged(k, f.get(v.start), f.get(v.size), plugged)) });
};

const markPlugged = pluggedHook("set_memory_plugged", true);
const markUnplugged = pluggedHook("clear_memory_plugged", false);

/** Device memory that the table does not cover is warned about and then taken for accepted. */
const virtioPlugged = KERNEL_PROCEDURES.declare("virtio_mem_plugged", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter"],
});
virtioPlugged.define({
  enter: (k, f) => {
    if (setPlugged(k, f.get(virtioPlugged.v.start), f.get(virtioPlugged.v.size), true) !== 0)
      k.printk("WARNING: virtio_mem: plugged memory lies outside the unaccepted table");
    return f.returns(0);
  },
});

/** After the device answered an unplug: only an ACK clears the plugged bits. */
const virtioUnplugged = KERNEL_PROCEDURES.declare("virtio_mem_unplugged", {
  args: ["start", "size", "response"],
  locals: [],
  steps: ["enter"],
});
virtioUnplugged.define({
  enter: (k, f) => {
    const { start, size, response } = virtioUnplugged.v;
    if (f.get(response) === VIRTIO_MEM_RESPONSE.ACK) setPlugged(k, f.get(start), f.get(size), false);
    return f.returns(0);
  },
});

const removed = KERNEL_PROCEDURES.declare("bitmaps_memory_removed", {
  args: ["start", "size"],
  locals: [],
  steps: ["release", "forget"],
});
removed.define({
  release: (_k, f) =>
    f.call(unacceptMemory, removed.at.forget, f.get(removed.v.start), f.get(removed.v.size)),
  forget: (k, f) => f.returns(setPlugged(k, f.get(removed.v.start), f.get(removed.v.size), false)),
});

/**
 * RFC v2 as posted, hazards included: a second bitmap says what the VMM has plugged, the stub sizes the
 * table over the hot-pluggable SRAT ranges, and hot-added memory is accepted by the allocator like boot
 * memory. Memory is released before it is unplugged.
 *
 * Known holes, not repaired here: adding a block marks never-plugged sub-blocks plugged; no guard where
 * memory appears above or vanishes below memory in use; an error path leaves a guard unit accepted; memory
 * is marked unaccepted although a TD without PAGE_RELEASE could not release it.
 *
 * @source RFCv2 "Support memory hotplug/unplug for TDX CoCo guests", 2026-06-23, patches 1 to 6
 */
export const bitmaps: Design = {
  name: "bitmaps",
  title: "RFC v2: unaccepted and plugged bitmaps, lazy acceptance, release before unplug",
  tableVersion: 2,
  stubScansSrat: true,
  hooks: {
    addMemory: markPlugged,
    addMemoryFailed: markUnplugged,
    altmapAdd: acceptMemory,
    altmapAddFailed: unacceptMemory,
    altmapRemoved: unacceptMemory,
    memoryRemoved: removed.procedure,
    virtioPlugged: virtioPlugged.procedure,
    virtioUnplug: unacceptMemory,
    virtioUnplugAnswered: virtioUnplugged.procedure,
    virtioUnplugAll: unacceptMemory,
    virtioUnplugAllAnswered: virtioUnplugged.procedure,
    fakeOnlineContiguous: acceptMemory,
  },
};
