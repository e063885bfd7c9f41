import { BLOCKED, type Frame } from "../../flat/procedure.ts";
import { NotModelled } from "../../not-modelled.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { DEVICE_HOTPLUG_LOCK, lockDeviceHotplug } from "../memory-hotplug/hotplug-locks.ts";
import { ACPI_NOTIFY, ACPI_OST, BINDING } from "./acpi-memory.ts";
import { bindMemoryDevice, detachMemoryDevice } from "./memory-device.ts";
import { ejectSlot, slotStatus, takeSlotEvent, writeOst } from "./registers.ts";
import { acpiTryToOffline } from "./try-to-offline.ts";

const scan = KERNEL_PROCEDURES.declare("_E03 memory hotplug scan", {
  args: [],
  locals: ["slot"],
  steps: ["enter", "slot"],
});

/**
 * The firmware's handler of the memory hotplug GPE: looks at every slot, clears its event and queues it as a
 * notification. An insert goes before a remove of the same slot. The machine starts it on an SCI. Returns 0.
 *
 * @source QEMU hw/acpi/memory_hotplug.c (AML); Linux drivers/acpi/scan.c, acpi_hotplug_schedule
 */
export const acpiGpeScan = scan.define({
  enter: (k, f) => {
    k.acpiMemory!.setGpe(false);
    return k.hw.acpi === undefined ? f.returns(0) : scan.at.slot;
  },
  slot: (k, f) => {
    const acpi = k.acpiMemory!;
    const slot = f.get(scan.v.slot);
    if (slot === acpi.slots) return f.returns(0);
    // The event stays in the register until there is room for it.
    if (acpi.full) return BLOCKED;
    const notify = takeSlotEvent(k.hw.acpi!, slot);
    if (notify >= 0) acpi.push(slot, notify);
    f.set(scan.v.slot, slot + 1);
    return scan.at.slot;
  },
});

const boot = KERNEL_PROCEDURES.declare("acpi_scan_init memory devices", {
  args: [],
  locals: ["slot"],
  steps: ["enter", "slot", "next"],
});

/** Serial ports of the machine. Each looks for what hangs on it among the devices that no driver has. */
const SERIAL_PORTS = 2;

/** Has _STA of those slots run that no driver is bound to; of all of them while none is. */
const lookAtSlots = (k: Kernel): void => {
  const { bound, slots } = k.acpiMemory!;
  for (let slot = 0; slot < slots; slot++) if (bound[slot] === BINDING.NONE) slotStatus(k.hw.acpi!, slot);
};

/**
 * Binds the DIMMs that were there before boot and are not in firmware's memory map. _STA runs for each slot when its device is
 * made, then for binding, and once for each serial port if nobody was bound. Returns 0.
 *
 * @source Linux drivers/acpi/scan.c, acpi_add_single_object; drivers/tty/serdev/core.c, acpi_serdev_add_device (seen on a
 *   6.12.117 and a 7.3.4)
 */
export const acpiScanAtBoot = boot.define({
  enter: (k, f) => {
    if (k.hw.acpi !== undefined) lookAtSlots(k);
    return f.call(lockDeviceHotplug, boot.at.slot);
  },
  slot: (k, f) => {
    if (k.hw.acpi !== undefined && f.get(boot.v.slot) < k.hw.acpi.slots)
      return f.call(bindMemoryDevice, boot.at.next, f.get(boot.v.slot));
    if (k.hw.acpi !== undefined) for (let port = 0; port < SERIAL_PORTS; port++) lookAtSlots(k);
    k.locks.release(DEVICE_HOTPLUG_LOCK, f.task);
    return f.returns(0);
  },
  next: (_k, f) => {
    f.set(boot.v.slot, f.get(boot.v.slot) + 1);
    return boot.at.slot;
  },
});

/** _OST code for the answer of an event. */
const OST_CODES: ReadonlyMap<number, number> = new Map<number, number>([
  [0, ACPI_OST.SUCCESS],
  [ERRNO.EPERM, ACPI_OST.EJECT_NOT_SUPPORTED],
  [ERRNO.EBUSY, ACPI_OST.DEVICE_BUSY],
]);
export const ostCode = (error: number): number => OST_CODES.get(error) ?? ACPI_OST.NON_SPECIFIC_FAILURE;

const eject = KERNEL_PROCEDURES.declare("acpi_scan_hot_remove", {
  args: ["slot"],
  locals: [],
  steps: ["enter", "offline", "detached", "asked", "ejected"],
});

/** The VMM takes the DIMM away before the write retires; only the next step sees what became of it. */
const takeAway = (k: Kernel, slot: number): number => {
  ejectSlot(k.hw.acpi!, slot);
  return eject.at.ejected;
};

/**
 * Offlines, removes and ejects a DIMM: (slot). Returns 0 or -EBUSY, the DIMM being as before, or without memory in Linux if the design
 * holds it. A slot that still holds a DIMM afterwards keeps its driver, so no later scan adds that memory again.
 */
const hotRemove = eject.define({
  enter: (_k, f) => f.call(acpiTryToOffline, eject.at.offline, f.get(eject.v.slot)),
  offline: (_k, f) => {
    if (f.result !== 0) return f.returns(f.result);
    return f.call(detachMemoryDevice, eject.at.detached, f.get(eject.v.slot));
  },
  detached: (k, f) => {
    const slot = f.get(eject.v.slot);
    const { ejectGuard } = k.design;
    const [start, size] = [k.acpiMemory!.starts[slot]!, k.acpiMemory!.sizes[slot]!];
    if (ejectGuard?.holds(k, start, size) !== true) return takeAway(k, slot);
    return f.call(ejectGuard.tryAgain, eject.at.asked, start, size);
  },
  asked: (k, f) => (f.result < 0 ? f.returns(f.result) : takeAway(k, f.get(eject.v.slot))),
  ejected: (k, f) => {
    const slot = f.get(eject.v.slot);
    if (slotStatus(k.hw.acpi!, slot).enabled) {
      const name = slot.toString(16).toUpperCase().padStart(2, "0");
      k.printk(`ACPI: \\_SB_.MHPC.MP${name}: Eject incomplete - status 0xf`);
    } else k.acpiMemory!.bound[slot] = BINDING.NONE;
    return f.returns(0);
  },
});

const work = KERNEL_PROCEDURES.declare("acpi_device_hotplug", {
  args: [],
  locals: ["slot", "event", "sibling"],
  steps: ["enter", "locked", "eject", "bound", "done"],
});

/** A device check: where a DIMM appeared, the bus is scanned again; one that is bound already is left alone. */
const check = (k: Kernel, f: Frame<Kernel>): number => {
  const slot = f.get(work.v.slot);
  const { enabled } = slotStatus(k.hw.acpi!, slot);
  const { bound } = k.acpiMemory!;
  if (!enabled && bound[slot] === BINDING.LEFT_ALONE) bound[slot] = BINDING.NONE;
  const hasDriver = bound[slot] === BINDING.ADDED || bound[slot] === BINDING.EMPTIED;
  if (!enabled && hasDriver) throw new NotModelled("a DIMM that vanished without being ejected");
  if (!enabled || hasDriver) return finish(k, f, 0);
  return f.call(bindMemoryDevice, work.at.bound, 0);
};

/**
 * Handles the oldest queued event of the memory devices: none, if there is none. The machine starts it while
 * `acpiMemory.waiting` is not 0, on one task at a time.
 *
 * A device check binds the driver to the DIMM and to all others of the container that are there and not bound, such as
 * those whose memory could not be added before. It reports success even if that failed: since 6.8 a driver may refuse. An
 * eject request is answered with "in progress", then the blocks go offline, the memory is removed, and the
 * slot is ejected. The last word is _OST(event, code), after a success too. Returns the answer that
 * made the code.
 *
 * @source Linux drivers/acpi/scan.c, acpi_device_hotplug, acpi_generic_hotplug_event, acpi_scan_rescan_bus (seen on a
 *   6.12.117)
 * @missing ejects disabled by sysfs (-EPERM); other children of the devices
 */
export const acpiHotplugWork = work.define({
  enter: (k, f) => {
    const event = k.acpiMemory!.take();
    if (event < 0) return f.returns(0);
    f.set(work.v.slot, Math.floor(event / 1024));
    f.set(work.v.event, event % 1024);
    return f.call(lockDeviceHotplug, work.at.locked);
  },
  locked: (k, f) => {
    switch (f.get(work.v.event)) {
      case ACPI_NOTIFY.BUS_CHECK:
      case ACPI_NOTIFY.DEVICE_CHECK:
        return check(k, f);
      case ACPI_NOTIFY.EJECT_REQUEST:
      case ACPI_NOTIFY.OSPM_EJECT:
        writeOst(k.hw.acpi!, f.get(work.v.slot), ACPI_NOTIFY.EJECT_REQUEST, ACPI_OST.EJECT_IN_PROGRESS);
        return work.at.eject;
      default:
        return finish(k, f, ERRNO.EINVAL);
    }
  },
  eject: (_k, f) => f.call(hotRemove, work.at.done, f.get(work.v.slot)),
  bound: (k, f) => {
    const sibling = f.get(work.v.sibling) + 1;
    if (sibling === k.hw.acpi!.slots) return finish(k, f, 0);
    f.set(work.v.sibling, sibling);
    return f.call(bindMemoryDevice, work.at.bound, sibling);
  },
  done: (k, f) => finish(k, f, f.result),
});

const finish = (k: Kernel, f: Frame<Kernel>, error: number): number => {
  writeOst(k.hw.acpi!, f.get(work.v.slot), f.get(work.v.event), ostCode(error));
  k.locks.release(DEVICE_HOTPLUG_LOCK, f.task);
  return f.returns(error);
};
