import { AcceptingList } from "../linux/accepting-list.ts";
import { AcpiMemory } from "../linux/acpi-memory/acpi-memory.ts";
import { bootLayout } from "../linux/boot/boot-layout.ts";
import { earlyAllocations } from "../linux/boot/early-allocations.ts";
import type { Boundary, VirtioMemPort } from "../linux/boundary.ts";
import { SharedPages } from "../linux/coco/shared-pages.ts";
import { type Geometry, X86_64 } from "../linux/geometry.ts";
import { Cpus, type Kernel, type LogSink } from "../linux/kernel.ts";
import { Kexec } from "../linux/kexec/kexec.ts";
import { Locks } from "../linux/locks.ts";
import { MemMap } from "../linux/mem-map.ts";
import { Memblock } from "../linux/memblock.ts";
import { MemoryBlocks, ONLINE_TYPES } from "../linux/memory-block.ts";
import { memoryBlockSize } from "../linux/memory-hotplug/block-size.ts";
import { FirmwareMap } from "../linux/memory-hotplug/firmware-map.ts";
import { MemoryGroups } from "../linux/memory-hotplug/memory-group.ts";
import { Zones } from "../linux/page-allocator/zones.ts";
import { ResourceTree } from "../linux/resource.ts";
import { VirtioMemDriver } from "../linux/virtio-mem/driver.ts";
import { virtioMemLayout } from "../linux/virtio-mem/probe.ts";
import { roundUp } from "../units.ts";
import { acceptAtOnce } from "./accept-at-once.ts";
import { acpiPort } from "./acpi-port.ts";
import type { MachineConfig } from "./config.ts";
import { type HandOver, ramOf } from "./hand-over.ts";
import type { Machine } from "./machine.ts";

/** The devices as the guest reaches them: each request and each eject wakes the VMM. */
const boundaryOf = (machine: Machine, handOver: HandOver): Boundary => {
  const { cpus, vmm } = machine;
  return {
    regs: (vcpu) => cpus.regs(vcpu),
    tdcall: (vcpu) => cpus.tdcall(vcpu),
    ...(cpus.snp === undefined ? {} : { snp: cpus.snp }),
    acceptAtOnce: (vcpu, start, end) =>
      machine.trace.muted ? acceptAtOnce(machine, vcpu, start, end) : start,
    access: (vcpu, gpa, length, write, shared) =>
      machine.injector?.accessFails(vcpu, gpa, length) === true
        ? -1
        : cpus.access(vcpu, gpa, length, write, shared),
    memory: (gpa, length) => handOver.bytes(gpa, length) ?? new Uint8Array(length),
    virtioMem: vmm.mailboxes.map((_, device) => virtioMemPort(machine, device)),
    // A crash kernel is told to leave memory hotplug alone (acpi_no_memhotplug).
    acpi: vmm.dimms.count > 0 && handOver.oldMemory === undefined ? acpiPort(machine) : undefined,
  };
};

const virtioMemPort = (machine: Machine, device: number): VirtioMemPort => {
  const mailbox = machine.vmm.mailboxes[device]!;
  return {
    name: `virtio${device}`,
    blockSize: mailbox.blockSize,
    nodeId: mailbox.nodeId,
    addr: mailbox.addr,
    regionSize: mailbox.regionSize,
    usableRegionSize: () => mailbox.usableRegionSize(),
    pluggedSize: () => mailbox.pluggedSize(),
    requestedSize: () => mailbox.requestedSize(),
    send: (type, addr, blocks) => {
      machine.interrupts.sending(device, type, addr, blocks);
      const lateNs = machine.injector?.request(device, type, addr, blocks * mailbox.blockSize) ?? 0;
      mailbox.send(type, addr, blocks);
      machine.requested(device, lateNs);
    },
    response: () => mailbox.response(),
  };
};

/** Address space that the kernel may ever see memory in, bytes. */
const topOf = (machine: Machine, ramEnd: number): number => {
  const { deviceMemory } = machine.config.layout;
  return roundUp(
    Math.max(ramEnd, deviceMemory === undefined ? 0 : deviceMemory.start + deviceMemory.size),
    2 ** 31,
  );
};

const geometryOf = ({ geometry }: MachineConfig): Geometry => geometry ?? X86_64;

/** A geometry that is not x86-64's has blocks of one section: no platform chooses for it. */
const blockSizeOf = ({ geometry }: MachineConfig, endOfRam: number): number =>
  geometry === undefined ? memoryBlockSize({ endOfRam, guest: true }) : geometry.sectionSize;

const driversOf = (config: MachineConfig, hw: Boundary, blocks: MemoryBlocks): VirtioMemDriver[] =>
  hw.virtioMem.map((port) => {
    const { options } = config;
    const facts = {
      geometry: geometryOf(config),
      options,
      memoryBlockSize: blocks.blockSize,
      pluggableEnd: blocks.pluggableEnd,
    };
    return new VirtioMemDriver(port, virtioMemLayout(port, facts));
  });

/** Sections beyond boot memory for which room is made at once: 1 GiB. More come by doubling. */
const ROOM_SECTIONS = 8;

/** An empty memmap with room for a part of the hot-plug window. */
const memMapOf = ({ config }: Machine, ramEnd: number, top: number): MemMap => {
  const geometry = geometryOf(config);
  const { sectionSize } = geometry;
  const mm = new MemMap(geometry, top);
  const boot = config.layout.ram.reduce((sum, { size }) => sum + Math.ceil(size / sectionSize) + 1, 0);
  const window = Math.ceil((top - ramEnd) / sectionSize);
  if (config.layout.deviceMemory !== undefined) mm.reserve(boot + Math.min(window, ROOM_SECTIONS));
  return mm;
};

const bootInput = ({ config }: Machine, { reservations, affinity, oldMemory }: HandOver) => ({
  reservations,
  affinity,
  deferredInit: config.deferredInit ?? true,
  early: earlyAllocations({
    crashKernel: oldMemory === undefined ? config.crashKernel : undefined,
    reserveMem: config.reserveMem,
  }),
  // A crash kernel runs on one CPU.
  ...(oldMemory === undefined ? {} : { oldMemory, inKdump: true, bringUpPages: 0 }),
});

/** The guest kernel of a machine, as it stands when the decompressor jumps into it. */
export const buildKernel = (machine: Machine, handOver: HandOver, printk: LogSink): Kernel => {
  const { config } = machine;
  const { variant, options, design, nodes, vcpus } = config;
  const ram = ramOf(handOver.e820);
  const ramEnd = ram.at(-1)?.end ?? 0;
  const top = topOf(machine, ramEnd);
  const hw = boundaryOf(machine, handOver);
  const geometry = geometryOf(config);
  const blocks = new MemoryBlocks(geometry, blockSizeOf(config, ramEnd), top, nodes);
  blocks.autoOnline = ONLINE_TYPES.indexOf(options.autoOnline);
  return {
    geometry,
    variant,
    options,
    hw,
    platform: machine.platform.linux,
    design,
    mm: memMapOf(machine, ramEnd, top),
    zones: new Zones(geometry, nodes),
    memblock: new Memblock(),
    boot: bootLayout(ram, bootInput(machine, handOver)),
    table: handOver.table,
    accepting: new AcceptingList(machine.kernelTasks),
    shared: new SharedPages(),
    kexec: new Kexec(),
    iomem: new ResourceTree(),
    firmwareMap: new FirmwareMap(),
    blocks,
    groups: new MemoryGroups(nodes),
    virtioMem: driversOf(config, hw, blocks),
    acpiMemory: hw.acpi === undefined ? undefined : new AcpiMemory(hw.acpi.slots),
    locks: new Locks(hw.virtioMem.length),
    cpus: new Cpus(vcpus),
    printk,
    faults: machine.injector,
    stalls: machine.stalls,
  };
};
