import { VIRTIO_MEM_REQUEST } from "../abi/virtio-mem/request.ts";
import { PAGE_SIZE } from "../units.ts";
import { SIZE_CHANGE_EVENT, SYSTEM_RESET_EVENT } from "./events.ts";
import { DEAD, DONE, VMM_PROCEDURES } from "./procedures.ts";
import { discard, unmapEmptySlots } from "./unplug.ts";

const r = VMM_PROCEDURES.declare("reset the system", {
  args: [],
  locals: ["device"],
  steps: ["next", "discarded", "unmapped"],
});

/**
 * The memory devices' part of a system reset: every device unplugs all its blocks and recomputes its usable
 * region from the target, which stays. A device that cannot (migration, a page the guest holds) keeps its blocks,
 * and the next driver sends UNPLUG_ALL. DIMMs stay plugged. Returns DONE, or DEAD.
 *
 * @source QEMU hw/virtio/virtio-mem.c (virtio_mem_system_reset)
 * @missing destroying and rebuilding the TD itself
 */
export const systemReset = r.define({
  next: (k, f) => {
    const index = f.get(r.v.device);
    if (index === k.devices.length) {
      k.sink?.emit(SYSTEM_RESET_EVENT, 0, 0, 0, 0, 0);
      return f.returns(DONE);
    }
    const device = k.devices[index]!;
    k.mailboxes[index]!.reset();
    if (device.pluggedSize === 0) {
      device.commit(VIRTIO_MEM_REQUEST.UNPLUG_ALL, device.addr, device.blocks);
      f.set(r.v.device, index + 1);
      return r.at.next;
    }
    const start = k.map.start(k.areaOfDevice(index));
    if (!device.migrating)
      return f.call(discard, r.at.discarded, start, start + device.regionSize / PAGE_SIZE);
    f.set(r.v.device, index + 1);
    return r.at.next;
  },
  discarded: (k, f) => {
    if (f.result === DEAD) return f.returns(DEAD);
    const index = f.get(r.v.device);
    f.set(r.v.device, index + 1);
    if (f.result !== DONE) return r.at.next;
    const device = k.devices[index]!;
    device.commit(VIRTIO_MEM_REQUEST.UNPLUG_ALL, device.addr, device.blocks);
    const start = k.map.start(k.areaOfDevice(index));
    k.noteChanged(start, start + device.regionSize / PAGE_SIZE);
    k.sink?.emit(SIZE_CHANGE_EVENT, index, 0, 0, 0, 0);
    return f.callIf(device.dynamicMemslots ? unmapEmptySlots : undefined, r.at.unmapped, index);
  },
  unmapped: (_k, f) => (f.result === DEAD ? f.returns(DEAD) : r.at.next),
});
