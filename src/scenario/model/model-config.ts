import {
  EFI_MEMORY_ATTRIBUTE,
  EFI_MEMORY_TYPE,
  efiMemoryDescriptor,
} from "../../abi/efi/memory-descriptor.ts";
import { designNamed } from "../../designs/designs.ts";
import type { KernelOptions } from "../../linux/kernel.ts";
import { VARIANTS, withoutFixes } from "../../linux/variant.ts";
import type { DimmConfig, MachineConfig } from "../../machine/config.ts";
import { KERNEL_BYTES, KERNEL_START } from "../../machine/hand-over.ts";
import { NotModelled } from "../../not-modelled.ts";
import { GIB, gpa, MIB, PAGE_SIZE } from "../../units.ts";
import type { GpaRange, GuestLayout } from "../../vmm/layout.ts";
import type { VmmPolicy } from "../../vmm/policy.ts";
import { qemuSrat } from "../../vmm/srat.ts";
import { layoutOf } from "../machine-layout.ts";
import { ADDRESS_LIMIT } from "../quantity.ts";
import type { DimmSpec, EfiEntry, FirmwareSpec, Scenario } from "../scenario.ts";
import { faultPlanOf } from "./model-faults.ts";

/** RAM that firmware leaves unaccepted: what it loads the kernel to is not, since it runs there. */
const unacceptedOf = ({ unaccepted }: FirmwareSpec, layout: GuestLayout): GpaRange[] => {
  if (unaccepted === "none") return [];
  const wanted =
    unaccepted === "above-4g"
      ? [{ start: 4 * GIB, end: ADDRESS_LIMIT }]
      : unaccepted === "all"
        ? [{ start: firstUnaccepted(layout), end: ADDRESS_LIMIT }]
        : unaccepted;
  const apart = wanted.flatMap(({ start, end }) => [
    { start, end: Math.min(end, KERNEL_START) },
    { start: Math.max(start, KERNEL_START + KERNEL_BYTES), end },
  ]);
  return layout.ram.flatMap((range) =>
    apart.flatMap(({ start, end }) => {
      const from = Math.max(start, range.start);
      const to = Math.min(end, range.start + range.size);
      return from < to ? [{ start: gpa(from), size: to - from }] : [];
    }),
  );
};

/**
 * Firmware cannot run in memory that it did not accept: of "all" it keeps the first quarter of the memory
 * below 4 GiB, at most 512 MiB, for itself and the tables.
 */
const firstUnaccepted = (layout: GuestLayout): number => {
  const low = layout.ram.find(({ start }) => start < 4 * GIB);
  if (low === undefined) return 0;
  const quarter = Math.min(low.size / 4, 512 * 2 ** 20);
  return low.start + Math.ceil(quarter / 2 ** 21) * 2 ** 21;
};

/** Attribute bits by the names that scenarios use: those of the table, and the short name of the proposal. */
const ATTRIBUTE_BITS: ReadonlyMap<string, bigint> = new Map<string, bigint>([
  ...Object.entries(EFI_MEMORY_ATTRIBUTE),
  ["UHP", EFI_MEMORY_ATTRIBUTE.UNACCEPTED_HOT_PLUG],
]);

const descriptorOf = ({ start, end, type, attributes }: EfiEntry) => {
  const name = Object.entries(EFI_MEMORY_TYPE).find(([, number]) => number === type)?.[0];
  if (name === undefined) throw new NotModelled(`EFI memory type ${type}`);
  const bits = attributes.reduce((word, attribute) => word | (ATTRIBUTE_BITS.get(attribute) ?? 0n), 0n);
  return efiMemoryDescriptor(name as keyof typeof EFI_MEMORY_TYPE, BigInt(start), BigInt(end), bits);
};

const sratOf = (scenario: Scenario, layout: GuestLayout): Uint8Array | undefined => {
  const { firmware, nodes, vcpus, memory } = scenario.machine;
  if (firmware.srat.kind === "bytes") return firmware.srat.bytes;
  if (firmware.srat.kind === "none") return undefined;
  const implied = nodes > 1 || layout.deviceMemory !== undefined ? nodes : 0;
  const share = Math.floor(memory / nodes / 2 ** 21) * 2 ** 21;
  const each = Array.from({ length: implied }, (_, node) => ({
    memory: node === nodes - 1 ? memory - share * (nodes - 1) : share,
  }));
  const cpuNodes = Array.from({ length: vcpus }, (_, vcpu) => Math.floor((vcpu * nodes) / vcpus));
  return qemuSrat(layout, each, cpuNodes);
};

const policyOf = ({ vmm }: Scenario): Partial<VmmPolicy> => ({
  augSize: vmm.augSize === PAGE_SIZE ? "4K" : "2M",
  aug: vmm.aug,
  discard: vmm.discard,
  start: vmm.start,
  unplugged: vmm.unpluggedAccess,
  sharedMiss: vmm.sharedMiss,
  moduleBusy: vmm.moduleBusy,
  implicitConversion: vmm.implicitConversion ? "convert" : "kill",
  ...(vmm.pscEntries === null ? {} : { pscEntries: vmm.pscEntries }),
});

const optionsOf = ({ guest }: Scenario): KernelOptions => ({
  accept: guest.accept,
  memmapOnMemory: guest.memmapOnMemory,
  autoOnline: guest.autoOnline,
  unplugOnline: true,
  forceBbm: false,
  bbmBlockSize: 0,
});

const dimmOf = ({ id, size, node, slot, addr }: DimmSpec): DimmConfig => ({
  id,
  size,
  node,
  ...(slot === null ? {} : { slot }),
  ...(addr === null ? {} : { addr }),
});

/** A guest that is to crash keeps memory for the kernel that runs then: crashkernel=256M. */
const CRASH_KERNEL = 256 * MIB;

/** The machine that a scenario describes. @throws VmmError, NotModelled */
export const machineConfigOf = (scenario: Scenario): MachineConfig => {
  const { machine, guest, vmm } = scenario;
  const { firmware } = machine;
  const layout = layoutOf(machine);
  const design = designNamed(guest.design);
  if (design === undefined) throw new NotModelled(`design ${guest.design}`);
  const srat = sratOf(scenario, layout);
  const faults = faultPlanOf(scenario);
  return {
    platform: scenario.platform,
    layout,
    nodes: machine.nodes,
    vcpus: machine.vcpus,
    virtioMem: machine.virtioMem.map(({ memaddr, ...device }) =>
      memaddr === null ? device : { ...device, memaddr: gpa(memaddr) },
    ),
    dimms: machine.dimms.map(dimmOf),
    ...(srat === undefined ? {} : { srat }),
    unaccepted: unacceptedOf(firmware, layout),
    efiMemoryMap: firmware.efiMemoryMap.map(descriptorOf),
    ...(firmware.poolAddress === null ? {} : { poolAddress: firmware.poolAddress }),
    policy: policyOf(scenario),
    pageRelease: vmm.pageRelease,
    variant: withoutFixes(VARIANTS[guest.kernel], guest.revert),
    options: optionsOf(scenario),
    design,
    deferredInit: guest.deferredInit,
    ...(guest.reserveMem === null ? {} : { reserveMem: guest.reserveMem }),
    ...(scenario.steps.some(({ kind }) => kind === "crash") ? { crashKernel: CRASH_KERNEL } : {}),
    seed: scenario.seed,
    ...(faults === undefined ? {} : { faults }),
  };
};
