import { BLOCKED } from "../flat/procedure.ts";
import { NO_SLOT } from "./dimm.ts";
import { DEVICE_DELETED_EVENT, UNPLUG_GUEST_ERROR_EVENT } from "./events.ts";
import { DEAD, DONE, VMM_PROCEDURES } from "./procedures.ts";
import { FREE_PRIVATE, FREE_SHARED, REMOVE_AREA, zap } from "./zap.ts";

const e = VMM_PROCEDURES.declare("remove an ejected DIMM", {
  args: [],
  locals: ["slot"],
  steps: ["take", "gone"],
});

/**
 * Removes the DIMM that the guest ejected, with everything behind it, in both planes whatever the policy for
 * virtio-mem. Waits (BLOCKED) until there is one. Returns DONE, also when the guest still holds a page: the DIMM
 * stays then, and DEVICE_UNPLUG_GUEST_ERROR says so; or DEAD.
 *
 * @source QEMU hw/acpi/memory_hotplug.c, hw/mem/pc-dimm.c
 */
export const handleEject = e.define({
  take: (k, f) => {
    const slot = k.dimms.ejecting;
    if (slot === NO_SLOT) return BLOCKED;
    f.set(e.v.slot, slot);
    const area = k.areaOfSlot(slot);
    const mode = FREE_PRIVATE | FREE_SHARED | REMOVE_AREA;
    return f.call(zap, e.at.gone, k.map.start(area), k.map.end(area), mode);
  },
  gone: (k, f) => {
    const slot = f.get(e.v.slot);
    k.dimms.setEjecting(slot, false);
    if (f.result === DEAD) return f.returns(DEAD);
    if (f.result !== DONE) {
      k.sink?.emit(UNPLUG_GUEST_ERROR_EVENT, slot, 0, 0, 0, 0);
      return f.returns(DONE);
    }
    k.dimms.empty(slot);
    k.sink?.emit(DEVICE_DELETED_EVENT, slot, 0, 0, 0, 0);
    return f.returns(DONE);
  },
});
