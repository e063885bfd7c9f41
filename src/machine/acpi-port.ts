import {
  MEMORY_HOTPLUG_READ,
  MEMORY_HOTPLUG_WRITE,
  MEMORY_SLOT_CONTROL,
  MEMORY_SLOT_FLAG,
} from "../abi/acpi/memory-hotplug-registers.ts";
import type { AcpiMemoryPort } from "../linux/boundary.ts";
import { NO_SLOT } from "../vmm/dimm.ts";
import { ACPI_ANSWER, ACPI_METHOD, OWN_ANSWER } from "./faults/fault-calls.ts";
import type { Injector } from "./faults/injector.ts";
import type { Machine } from "./machine.ts";

/** The memory-hotplug registers as the guest reaches them: each eject wakes the VMM. */
export const acpiPort = (machine: Machine): AcpiMemoryPort => {
  const { registers, dimms } = machine.vmm;
  const { injector } = machine;
  const port: AcpiMemoryPort = {
    slots: registers.slots,
    read: (offset, width) => {
      machine.interrupts.portAccess();
      return registers.read(offset, width);
    },
    write: (offset, width, value) => {
      machine.interrupts.portAccess();
      registers.write(offset, width, value);
      if (dimms.ejecting === NO_SLOT || !machine.tasks.ejectLoop.idle) return;
      machine.interrupts.ejecting(dimms.ejecting);
      machine.ejected(machine.tasks.acpi.frame.vcpu);
    },
  };
  return injector === undefined ? port : withFaults(port, injector);
};

/** What was read before, and whether the rest of a _CRS has to look empty. */
const LAST = 0;
const EMPTY = 1;
/** What the register says where there is no proximity domain. */
const NO_PROXIMITY = 0xffff_ffff;

/**
 * The port of a machine on which control methods can fail. The firmware's methods are known by what they access:
 * _CRS reads the size, _PXM the proximity, _STA the flags right behind it, MSCN the flags alone, _EJ0 writes the eject bit, _OST its
 * status.
 */
const withFaults = (port: AcpiMemoryPort, injector: Injector): AcpiMemoryPort => ({
  slots: port.slots,
  read: (offset, width) => {
    const { acpiWords: words } = injector;
    const value = port.read(offset, width);
    const before = words[LAST];
    words[LAST] = offset;
    if (offset === MEMORY_HOTPLUG_READ.sizeHigh)
      words[EMPTY] = injector.acpi(ACPI_METHOD._CRS) === ACPI_ANSWER.EMPTY ? 1 : 0;
    if (offset === MEMORY_HOTPLUG_READ.sizeHigh || offset === MEMORY_HOTPLUG_READ.sizeLow)
      return words[EMPTY] === 0 ? value : 0;
    if (offset === MEMORY_HOTPLUG_READ.proximity)
      return injector.acpi(ACPI_METHOD._PXM) === ACPI_ANSWER.UNKNOWN ? NO_PROXIMITY : value;
    if (offset !== MEMORY_HOTPLUG_READ.flags) return value;
    return before === MEMORY_HOTPLUG_READ.proximity
      ? flagsAs(value, injector.acpi(ACPI_METHOD._STA))
      : eventsAs(value, injector);
  },
  write: (offset, width, value) => {
    injector.acpiWords[LAST] = 0;
    const method = methodOf(offset, value);
    const ignored = method >= 0 && injector.acpi(method) === ACPI_ANSWER.IGNORED;
    if (!ignored) port.write(offset, width, value);
  },
});

/** What MSCN sees of a slot that has an event; one that it does not see stays for the next interrupt. */
const eventsAs = (flags: number, injector: Injector): number => {
  const events = MEMORY_SLOT_FLAG.INSERT_EVENT | MEMORY_SLOT_FLAG.REMOVE_EVENT;
  if ((flags & events) === 0) return flags;
  return injector.acpi(ACPI_METHOD.MSCN) === ACPI_ANSWER.IGNORED ? flags & ~events : flags;
};

const flagsAs = (flags: number, answer: number): number => {
  if (answer === OWN_ANSWER) return flags;
  return answer === ACPI_ANSWER.PRESENT
    ? flags | MEMORY_SLOT_FLAG.ENABLED
    : flags & ~MEMORY_SLOT_FLAG.ENABLED;
};

/** Method that a write ends, or -1. */
const methodOf = (offset: number, value: number): number => {
  if (offset === MEMORY_HOTPLUG_WRITE.ostStatus) return ACPI_METHOD._OST;
  const ejects = offset === MEMORY_HOTPLUG_WRITE.control && (value & MEMORY_SLOT_CONTROL.EJECT) !== 0;
  return ejects ? ACPI_METHOD._EJ0 : -1;
};
