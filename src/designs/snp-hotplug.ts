import { isDone } from "../linux/coco/platform.ts";
import type { Design } from "../linux/design.ts";
import { KERNEL_PROCEDURES, panic } from "../linux/kernel.ts";
import { NotModelled } from "../not-modelled.ts";
import { unitsOf } from "./tide/units.ts";

const add = KERNEL_PROCEDURES.declare("accept_hotplug_memory", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "accepted"],
});

/**
 * The end of add_memory: (start, size) is accepted by the platform, whatever any bit says, and bits inside the window are
 * cleared. Without a table nothing is accepted: to this kernel the machine has no unaccepted memory.
 */
const acceptAdded = add.define({
  enter: (k, f) => {
    const start = f.get(add.v.start);
    if (k.table === undefined) return f.returns(0);
    return f.call(k.platform.accept, add.at.accepted, start, start + f.get(add.v.size));
  },
  accepted: (k, f) => {
    if (!isDone(f.result)) return panic(k, k.platform.acceptPanic);
    const [first, end] = unitsOf(k.table!, f.get(add.v.start), f.get(add.v.size));
    if (first < end) k.table!.markAccepted(first, end);
    return f.returns(0);
  },
});

const remove = KERNEL_PROCEDURES.declare("unaccept_hotplug_memory", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "rescinded"],
});

/** The start of remove_memory: (start, size) is given back by the platform, and bits inside the window are set. */
const unacceptRemoved = remove.define({
  enter: (k, f) => {
    const start = f.get(remove.v.start);
    const { rescind } = k.platform;
    if (rescind === undefined)
      throw new NotModelled(`what snp-hotplug does on ${k.platform.name} when memory is removed`);
    if (k.table === undefined || !k.variant.rescindsAtRemoval) return f.returns(0);
    return f.call(rescind, remove.at.rescinded, start, start + f.get(remove.v.size));
  },
  rescinded: (k, f) => {
    const [first, end] = unitsOf(k.table!, f.get(remove.v.start), f.get(remove.v.size));
    if (first < end) k.table!.markUnaccepted(first, end);
    return f.returns(0);
  },
});

/**
 * The hotplug series for SEV-SNP: all added memory is accepted at the end of add_memory and given back at the start of
 * remove_memory, whoever adds it.
 *
 * Known holes, not repaired here: sub-blocks that virtio-mem has not plugged are accepted with their block; a block that holds
 * its own memmap is written before it is accepted; a block is mapped above memory in use before it is accepted; nothing
 * waits unaccepted; a guest without an unaccepted table accepts nothing; what virtio-mem unplugs inside a block that stays is
 * not rescinded.
 *
 * @source "SEV-SNP Unaccepted Memory Hotplug" v4, 2026-02-03, and its review; that it accepts behind the memmap is
 *   inference
 * @missing giving memory back on TDX: the series does it for SNP only, with PVALIDATE and a page state change; a run on TDX that
 *   removes memory stops there
 */
export const snpHotplug: Design = {
  name: "snp-hotplug",
  title: "SNP series v4: all added memory is accepted at the end of add_memory",
  tableVersion: 1,
  stubScansSrat: false,
  hooks: { memoryAdded: acceptAdded, removeMemory: unacceptRemoved },
};
