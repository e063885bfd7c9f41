import type { AcpiMemoryPort } from "../boundary.ts";

/** Register block of memory hotplug: offsets, and what the control byte's bits say and do. */
const REGISTER = {
  /** Write: slot that every other register speaks of. Read: low half of its address. */
  SELECTOR: 0x00,
  ADDRESS_HIGH: 0x04,
  SIZE_LOW: 0x08,
  SIZE_HIGH: 0x0c,
  PROXIMITY: 0x10,
  CONTROL: 0x14,
  OST_EVENT: 0x04,
  OST_STATUS: 0x08,
} as const;
const CONTROL = { ENABLED: 1, INSERT: 2, REMOVE: 4, EJECT: 8 } as const;

/** What _PXM and _STA of a slot's device say. */
export interface SlotStatus {
  readonly proximity: number;
  readonly enabled: boolean;
}

export const slotStatus = (port: AcpiMemoryPort, slot: number): SlotStatus => {
  port.write(REGISTER.SELECTOR, 4, slot);
  return {
    proximity: port.read(REGISTER.PROXIMITY, 4),
    enabled: (port.read(REGISTER.CONTROL, 1) & CONTROL.ENABLED) !== 0,
  };
};

/** What _CRS of a slot's device says. Bytes. */
export interface SlotResources {
  readonly start: number;
  readonly size: number;
}

export const slotResources = (port: AcpiMemoryPort, slot: number): SlotResources => {
  port.write(REGISTER.SELECTOR, 4, slot);
  const word = (offset: number): number => port.read(offset, 4);
  return {
    start: word(REGISTER.ADDRESS_HIGH) * 2 ** 32 + word(REGISTER.SELECTOR),
    size: word(REGISTER.SIZE_HIGH) * 2 ** 32 + word(REGISTER.SIZE_LOW),
  };
};

/** The slot's events, insert before remove, and clears the one it answers: 1 insert, 3 remove, -1 none. */
export const takeSlotEvent = (port: AcpiMemoryPort, slot: number): number => {
  port.write(REGISTER.SELECTOR, 4, slot);
  const bits = port.read(REGISTER.CONTROL, 1);
  if ((bits & CONTROL.INSERT) !== 0) {
    port.write(REGISTER.CONTROL, 1, CONTROL.INSERT);
    return 1;
  }
  if ((bits & CONTROL.REMOVE) === 0) return -1;
  port.write(REGISTER.CONTROL, 1, CONTROL.REMOVE);
  return 3;
};

/** _OST(event, status). */
export const writeOst = (port: AcpiMemoryPort, slot: number, event: number, status: number): void => {
  port.write(REGISTER.SELECTOR, 4, slot);
  port.write(REGISTER.OST_EVENT, 4, event);
  port.write(REGISTER.OST_STATUS, 4, status);
};

/** _EJ0(1): the VMM takes the DIMM away. */
export const ejectSlot = (port: AcpiMemoryPort, slot: number): void => {
  port.write(REGISTER.SELECTOR, 4, slot);
  port.write(REGISTER.CONTROL, 1, CONTROL.EJECT);
};
