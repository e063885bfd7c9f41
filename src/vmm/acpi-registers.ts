import {
  MEMORY_HOTPLUG_READ,
  MEMORY_HOTPLUG_WRITE,
  MEMORY_SLOT_CONTROL,
  MEMORY_SLOT_FLAG,
} from "../abi/acpi/memory-hotplug-registers.ts";
import { PAGE_SIZE } from "../units.ts";
import type { DimmSlots } from "./dimm.ts";
import { OST_EVENT } from "./events.ts";
import type { Vmm } from "./vmm.ts";

const LOW_HALF = 2 ** 32;
/** What a read of an offset without a register gives, before it is cut to its width. */
const NO_REGISTER = 0xffff_ffff;

/**
 * The memory-hotplug register block as a guest reads and writes it. An eject is only marked here: the procedure
 * that removes the DIMM has to run before the guest's write may retire.
 *
 * @source QEMU hw/acpi/memory_hotplug.c
 */
export class AcpiRegisters {
  readonly slots: number;
  /** Selected slot. */
  readonly words = new Float64Array(1);
  private readonly vmm: Vmm;

  constructor(vmm: Vmm) {
    this.vmm = vmm;
    this.slots = vmm.dimms.count;
  }

  /** @returns the register cut to the access's width; 0 while the selected slot does not exist */
  read(offset: number, width: 1 | 2 | 4): number {
    const slot = this.words[0]!;
    if (slot >= this.slots) return 0;
    const value = this.register(offset, slot);
    return width === 4 ? value : value % 2 ** (8 * width);
  }

  private register(offset: number, slot: number): number {
    const { map, dimms } = this.vmm;
    const area = this.vmm.areaOfSlot(slot);
    const address = map.start(area) * PAGE_SIZE;
    const size = (map.end(area) - map.start(area)) * PAGE_SIZE;
    switch (offset) {
      case MEMORY_HOTPLUG_READ.addressLow:
        return address % LOW_HALF;
      case MEMORY_HOTPLUG_READ.addressHigh:
        return Math.floor(address / LOW_HALF);
      case MEMORY_HOTPLUG_READ.sizeLow:
        return size % LOW_HALF;
      case MEMORY_HOTPLUG_READ.sizeHigh:
        return Math.floor(size / LOW_HALF);
      case MEMORY_HOTPLUG_READ.proximity:
        return dimms.node(slot);
      case MEMORY_HOTPLUG_READ.flags:
        return dimms.flags(slot);
      default:
        return NO_REGISTER;
    }
  }

  /** A write to anything but the selector counts only while the selected slot exists. */
  write(offset: number, width: 1 | 2 | 4, value: number): void {
    const cut = width === 4 ? value % LOW_HALF : value % 2 ** (8 * width);
    if (offset === MEMORY_HOTPLUG_WRITE.slot) {
      if (this.slots > 0) this.words[0] = cut;
      return;
    }
    const slot = this.words[0]!;
    if (slot >= this.slots) return;
    const { dimms, sink } = this.vmm;
    if (offset === MEMORY_HOTPLUG_WRITE.ostEvent) dimms.setOstEvent(slot, cut);
    else if (offset === MEMORY_HOTPLUG_WRITE.ostStatus) {
      dimms.setOstStatus(slot, cut);
      sink?.emit(OST_EVENT, slot, dimms.ostEvent(slot), cut, 0, 0);
    } else if (offset === MEMORY_HOTPLUG_WRITE.control) control(dimms, slot, cut);
  }
}

/** Only the first bit that is set counts. */
const control = (dimms: DimmSlots, slot: number, value: number): void => {
  if (value & MEMORY_SLOT_CONTROL.CLEAR_INSERT) dimms.setFlag(slot, MEMORY_SLOT_FLAG.INSERT_EVENT, false);
  else if (value & MEMORY_SLOT_CONTROL.CLEAR_REMOVE)
    dimms.setFlag(slot, MEMORY_SLOT_FLAG.REMOVE_EVENT, false);
  else if (value & MEMORY_SLOT_CONTROL.EJECT && dimms.isPlugged(slot)) dimms.setEjecting(slot, true);
};
