import { BLOCKED } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES } from "../kernel.ts";
import { lockNumber } from "../locks.ts";

/** Serialises add, remove, online and offline of everything. */
export const DEVICE_HOTPLUG_LOCK = lockNumber("device_hotplug_lock");
/** Keeps others from looking at memory that comes or goes. Taken inside the one above. */
export const MEM_HOTPLUG_LOCK = lockNumber("mem_hotplug_lock");

const lock = KERNEL_PROCEDURES.declare("lock_device_hotplug", { args: [], locals: [], steps: ["take"] });

/** Takes device_hotplug_lock for the calling task; BLOCKED while another has it. Returns 0. */
export const lockDeviceHotplug = lock.define({
  take: (k, f) => (k.locks.tryTake(DEVICE_HOTPLUG_LOCK, f.task) ? f.returns(0) : BLOCKED),
});
