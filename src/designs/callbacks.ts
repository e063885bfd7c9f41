import { VIRTIO_MEM_RESPONSE } from "../abi/virtio-mem/response.ts";
import type { Frame, Next } from "../flat/procedure.ts";
import { isDone } from "../linux/coco/platform.ts";
import type { Design } from "../linux/design.ts";
import { ERRNO } from "../linux/errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../linux/kernel.ts";

const hex = (n: number): string => `0x${n.toString(16)}`;
const failed = (k: Kernel, what: string, start: number, size: number): void =>
  k.printk(`Failed to ${what} memory [${hex(start)}, ${hex(start + size)})`);

/** Only TDX code registers the callbacks; a driver that finds none goes on. */
const isRegistered = (k: Kernel): boolean => k.platform.name === "tdx";

/** What both callbacks check first: whole pages, and an end that is an address. */
const legal = (k: Kernel, start: number, size: number): boolean =>
  start % k.geometry.pageSize === 0 && size % k.geometry.pageSize === 0 && start + size < 2 ** 53;

const plugged = KERNEL_PROCEDURES.declare("tdx_post_plug", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "accepted"],
});

/** post_plug(start, size): accepts all of it, or -EINVAL; what was accepted before the failure stays accepted. */
const postPlug = plugged.define({
  enter: (k, f) => {
    const start = f.get(plugged.v.start);
    const size = f.get(plugged.v.size);
    if (!isRegistered(k)) return f.returns(0);
    if (!legal(k, start, size)) return f.returns(ERRNO.EINVAL);
    return f.call(k.platform.accept, plugged.at.accepted, start, start + size);
  },
  accepted: (k, f) => {
    if (isDone(f.result)) return f.returns(0);
    failed(k, "accept", f.get(plugged.v.start), f.get(plugged.v.size));
    return f.returns(ERRNO.EINVAL);
  },
});

const unplug = KERNEL_PROCEDURES.declare("tdx_pre_unplug", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "released"],
});

/** pre_unplug(start, size): releases all of it, or -EINVAL with what was released accepted again. */
const preUnplug = unplug.define({
  enter: (k, f) => {
    const start = f.get(unplug.v.start);
    const size = f.get(unplug.v.size);
    if (!isRegistered(k)) return f.returns(0);
    if (!legal(k, start, size)) return f.returns(ERRNO.EINVAL);
    return f.call(k.platform.release, unplug.at.released, start, start + size);
  },
  released: (k, f) => {
    if (isDone(f.result)) return f.returns(0);
    failed(k, "release", f.get(unplug.v.start), f.get(unplug.v.size));
    return f.returns(ERRNO.EINVAL);
  },
});

const answered = KERNEL_PROCEDURES.declare("virtio_mem unplug refused", {
  args: ["start", "size", "response"],
  locals: [],
  steps: ["enter", "accepted"],
});

/** The hypervisor refused what was released already: it is accepted again. Returns 0, or -EINVAL if that fails. */
const unplugAnswered = answered.define({
  enter: (_k, f): Next => {
    if (f.get(answered.v.response) === VIRTIO_MEM_RESPONSE.ACK) return f.returns(0);
    return f.call(postPlug, answered.at.accepted, f.get(answered.v.start), f.get(answered.v.size));
  },
  accepted: (_k, f: Frame<Kernel>) => f.returns(f.result),
});

/**
 * RFC v1 as posted: virtio-mem calls the platform after a plug and before an unplug. Plugged memory is accepted at
 * once, 1 GiB, 2 MiB and 4 KiB at a time, and released before it is unplugged. On another platform nobody registers the callbacks.
 *
 * An accept that fails after the plug answers -EINVAL: the device is broken and never sends again, and the host's
 * memory is lost. A release that fails before the unplug does the same, with nothing sent. When the hypervisor
 * refuses after the release the memory is accepted again, and the driver tries again later; if that fails the device is
 * broken, too.
 *
 * Known holes, not repaired here: ACPI DIMMs are not covered; UNPLUG_ALL releases nothing; memory without
 * PAGE_RELEASE stays accepted across the unplug; the unit above a unit in use is released, or was never
 * plugged, and stays mapped.
 *
 * @source "[RFC PATCH 0/6] Support virtio-mem memory hotplug in TDX guests", 2026-06-04, patches 1 to 5
 */
export const callbacks: Design = {
  name: "callbacks",
  title: "RFC v1: virtio-mem accepts at once after a plug and releases before an unplug",
  tableVersion: 1,
  stubScansSrat: false,
  hooks: {
    virtioPlugged: postPlug,
    virtioUnplug: preUnplug,
    virtioUnplugAnswered: unplugAnswered,
  },
};
