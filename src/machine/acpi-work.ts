import { acpiGpeScan, acpiHotplugWork, acpiScanAtBoot } from "../linux/acpi-memory/hotplug-event.ts";
import type { Machine } from "./machine.ts";

/** ACPI enumerates the DIMMs that are present at boot. */
export const scanDimms = (machine: Machine): void => {
  if (machine.kernel.acpiMemory === undefined) return;
  machine.start(machine.tasks.acpi, acpiScanAtBoot);
  machine.settle();
};

/** The GPE handler scans the slots; then queued events are handled one by one. */
export const startAcpiWork = (machine: Machine): void => {
  const { acpiMemory } = machine.kernel;
  if (acpiMemory === undefined || !machine.tasks.acpi.idle) return;
  if (acpiMemory.gpePending) machine.start(machine.tasks.acpi, acpiGpeScan);
  else if (acpiMemory.waiting > 0) machine.start(machine.tasks.acpi, acpiHotplugWork);
};
