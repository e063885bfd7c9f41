import { AcpiMemory } from "../../acpi-memory/acpi-memory.ts";
import type { AcpiMemoryPort, VirtioMemPort } from "../../boundary.ts";
import { X86_64 } from "../../geometry.ts";
import type { Kernel } from "../../kernel.ts";
import { MemoryBlocks } from "../../memory-block.ts";
import { freePagesCore, MEMINIT } from "../../page-allocator/free-core.ts";
import { setupPerZoneWmarks } from "../../page-allocator/watermarks.ts";
import { movePfnRangeToZone } from "../../page-allocator/zone-span.ts";
import { zoneNumber, zoneTypeAt } from "../../page-allocator/zones.ts";
import { RESOURCE, ResourceTree } from "../../resource.ts";
import { type FakeKernel, type FakeKernelOptions, fakeKernel, run } from "../../testing/fake-kernel.ts";
import { VirtioMemDriver } from "../../virtio-mem/driver.ts";
import { virtioMemLayout } from "../../virtio-mem/probe.ts";
import { addBootBlocks, type BootRange } from "../boot-blocks.ts";
import { FirmwareMap } from "../firmware-map.ts";
import { MemoryGroups } from "../memory-group.ts";

export interface HotplugKernelOptions extends FakeKernelOptions {
  /** Bytes; default: one section. */
  readonly blockSize?: number;
  /** Boot RAM, free in the allocator: whole sections. Default: 1 GiB at 4 GiB on node 0. */
  readonly ram?: readonly BootRange[];
  readonly devices?: readonly VirtioMemPort[];
  readonly acpi?: AcpiMemoryPort;
}

/** Makes boot RAM as a booted kernel has it: mapped, in its zone, free, in the iomem tree. */
const bootRam = (k: Kernel, { start, end, node }: BootRange): void => {
  const { sectionSize, pageSize, pagesPerChunk, maxOrder } = k.geometry;
  for (let section = start / sectionSize; section < end / sectionSize; section++) {
    k.mm.addSection(section);
    k.mm.setMapped(section, true);
  }
  const zone = zoneNumber(node, zoneTypeAt(start));
  movePfnRangeToZone(k, start / pageSize, (end - start) / pageSize, zone);
  k.zones.present[zone]! += (end - start) / pageSize;
  for (let pfn = start / pageSize; pfn < end / pageSize; pfn += pagesPerChunk)
    run(k, freePagesCore, pfn, maxOrder, MEMINIT.EARLY);
  k.iomem.request(start, end - start, k.iomem.intern("System RAM"), RESOURCE.SYSTEM_RAM | RESOURCE.BUSY);
};

/** A booted guest kernel that can hotplug, over a FakeBoundary and the devices given. */
export const hotplugKernel = (options: HotplugKernelOptions): FakeKernel => {
  const geometry = options.geometry ?? X86_64;
  const nodes = options.nodes ?? 1;
  const blocks = new MemoryBlocks(geometry, options.blockSize ?? geometry.sectionSize, options.top, nodes);
  const facts = {
    geometry,
    options: { forceBbm: false, bbmBlockSize: 0, ...options.options },
    memoryBlockSize: blocks.blockSize,
    pluggableEnd: options.top,
  };
  const devices = options.devices ?? [];
  const members: Partial<Kernel> = {
    iomem: new ResourceTree(),
    firmwareMap: new FirmwareMap(),
    blocks,
    groups: new MemoryGroups(nodes),
    virtioMem: devices.map((port) => new VirtioMemDriver(port, virtioMemLayout(port, facts))),
    acpiMemory: options.acpi === undefined ? undefined : new AcpiMemory(options.acpi.slots),
    ...options.members,
  };
  const fake = fakeKernel({ ...options, virtioMemDevices: devices.length, tasks: 8, members });
  fake.hw.acpi = options.acpi;
  fake.hw.virtioMem.push(...devices);
  const ram = options.ram ?? [{ start: 2 ** 32, end: 2 ** 32 + 2 ** 30, node: 0 }];
  for (const range of ram) bootRam(fake.k, range);
  setupPerZoneWmarks(fake.k);
  addBootBlocks(fake.k, ram);
  return fake;
};
