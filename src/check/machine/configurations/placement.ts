import { sratTable } from "../../../abi/acpi/srat.ts";
import { SRAT_MEMORY, sratMemory } from "../../../abi/acpi/srat-subtables.ts";
import { GIB, MIB } from "../../../units.ts";
import { explicitLayout, type GuestLayout } from "../../../vmm/layout.ts";
import { sratEntries } from "../../../vmm/srat.ts";
import type { MachineConfiguration } from "./configuration.ts";

/**
 * Where memory lies, if not as usual.
 *
 * - `outside table`: firmware has no SRAT, so the table ends with boot memory.
 * - `odd region`: blocks of the virtio-mem device are 1 MiB, and its region is one longer than its units.
 * - `SRAT over RAM`: the SRAT calls all memory hot-pluggable, also what firmware has accepted.
 */
export const PLACEMENTS = ["outside table", "odd region", "SRAT over RAM"] as const;
export type Placement = (typeof PLACEMENTS)[number];

export const UNIT = 2 * MIB;
/** Boot memory that firmware accepts: just enough for Linux to boot. */
const LOW_MEMORY = 64 * MIB;
/** The same where it has to start another kernel: an image may be half of it, and unpacks itself to 61 MiB. */
const LOW_MEMORY_FOR_KEXEC = 384 * MIB;
/** Where boot memory above 4 GiB starts. */
export const HIGH_BASE = 4 * GIB;
const ODD_BLOCK = MIB;

/** What the device has beyond its units, bytes. */
const oddBytes = ({ placement }: MachineConfiguration): number =>
  placement === "odd region" ? ODD_BLOCK : 0;

/** Units of each DIMM; 0: there is none. */
export const dimmUnits = ({ device, dimmUnits: beside = 0 }: MachineConfiguration): number =>
  device.kind === "dimm" ? device.units : beside;

/** Units that all devices may have together. */
export const deviceUnits = (configuration: MachineConfiguration): number => {
  const { device, slots = 1 } = configuration;
  return (device.kind === "virtio-mem" ? device.units : 0) + slots * dimmUnits(configuration);
};

export const layoutOf = (configuration: MachineConfiguration): GuestLayout => {
  const { staticUnits, slots = 1, before } = configuration;
  const low = before.some((deed) => deed.do === "kexec") ? LOW_MEMORY_FOR_KEXEC : LOW_MEMORY;
  const memory = low + staticUnits * UNIT;
  const size = deviceUnits(configuration) * UNIT + oddBytes(configuration);
  return explicitLayout({
    ram: [
      { start: 0, size: low },
      { start: HIGH_BASE, size: staticUnits * UNIT },
    ],
    slots,
    maxmem: memory + size,
    deviceMemory: { start: HIGH_BASE + staticUnits * UNIT, size },
  });
};

/** Sizes of the virtio-mem device and of its blocks. */
export const deviceBlock = (
  configuration: MachineConfiguration,
): { readonly size: number; readonly blockSize?: number } => {
  const odd = oddBytes(configuration);
  const size = configuration.device.units * UNIT + odd;
  return odd === 0 ? { size } : { size, blockSize: ODD_BLOCK };
};

/** The SRAT of QEMU, with more in it where boot memory shall be hot-pluggable; undefined: there is none. */
export const sratOf = (
  { vcpus, placement }: MachineConfiguration,
  layout: GuestLayout,
): Uint8Array | undefined => {
  if (placement === "outside table") return undefined;
  const nodes = [{ memory: layout.memory }];
  const entries = sratEntries(
    layout,
    nodes,
    Array.from({ length: vcpus }, () => 0),
  );
  if (placement !== "SRAT over RAM") return sratTable(entries);
  const flags = SRAT_MEMORY.ENABLED | SRAT_MEMORY.HOT_PLUGGABLE;
  const all = layout.ram.map(({ start, size }) => sratMemory(0, BigInt(start), BigInt(size), flags));
  return sratTable([...entries, ...all]);
};
