import { NotModelled } from "../../not-modelled.ts";
import { GIB } from "../../units.ts";
import type { VirtioMemPort } from "../boundary.ts";
import { ERRNO } from "../errno.ts";
import type { Geometry } from "../geometry.ts";
import type { Kernel, KernelOptions } from "../kernel.ts";
import { GROUP } from "../memory-hotplug/memory-group.ts";
import { NO_RESOURCE, RESOURCE } from "../resource.ts";
import { devPrint, hex } from "./dev-printk.ts";
import { type VirtioMemDriver, type VirtioMemLayout, VM } from "./driver.ts";

/** Memory that may be offline at once, unless two blocks are more. */
const OFFLINE_THRESHOLD = GIB;

/** What the layout of a device depends on, apart from the device. */
export interface LayoutFacts {
  readonly geometry: Geometry;
  readonly options: Pick<KernelOptions, "forceBbm" | "bbmBlockSize">;
  /** Bytes of a Linux memory block. */
  readonly memoryBlockSize: number;
  readonly pluggableEnd: number;
}

/** Size of a big block: the parameter if it is a power of two and large enough, else the least possible. */
const bigBlockSize = (least: number, wanted: number): number =>
  wanted >= least && Number.isInteger(Math.log2(wanted)) ? wanted : least;

/**
 * How the driver cuts a device's memory up. Sub-block mode if a Linux memory block holds more than one
 * device block (or pageblock), else big-block mode.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_init_hotplug
 */
export const virtioMemLayout = (port: VirtioMemPort, facts: LayoutFacts): VirtioMemLayout => {
  const { geometry, options, memoryBlockSize, pluggableEnd } = facts;
  const subBlock = Math.max(geometry.pageSize * geometry.pagesPerBlock, port.blockSize);
  const sbm = subBlock < memoryBlockSize && !options.forceBbm;
  const least = Math.max(port.blockSize, memoryBlockSize);
  const blockSize = sbm ? memoryBlockSize : bigBlockSize(least, options.bbmBlockSize);
  const firstBlock = Math.ceil(port.addr / blockSize);
  const end = Math.min(port.addr + port.regionSize, pluggableEnd);
  return {
    sbm,
    blockSize,
    subBlockSize: sbm ? subBlock : blockSize,
    firstBlock,
    blocks: Math.max(0, Math.floor(end / blockSize) - firstBlock),
  };
};

const announce = (k: Kernel, vm: VirtioMemDriver): void => {
  const { port } = vm;
  devPrint(k, vm, `start address: ${hex(port.addr)}`);
  devPrint(k, vm, `region size: ${hex(port.regionSize)}`);
  devPrint(k, vm, `device block size: ${hex(port.blockSize)}`);
  devPrint(k, vm, `nid: ${port.nodeId}`);
};

const warn = (k: Kernel, vm: VirtioMemDriver): void => {
  const { addr, regionSize } = vm.port;
  const { blockSize, pluggableEnd } = k.blocks;
  if (addr + regionSize > pluggableEnd)
    devPrint(k, vm, "Some device memory is not addressable/pluggable. This can make some memory unusable.");
  if (addr % blockSize !== 0)
    devPrint(k, vm, "The alignment of the physical start address can make some memory unusable.");
  if ((addr + regionSize) % blockSize !== 0)
    devPrint(k, vm, "The alignment of the physical end address can make some memory unusable.");
};

/** Reserves the region in the iomem tree, not busy so that memory can be added below it. */
const reserve = (k: Kernel, vm: VirtioMemDriver): number => {
  const { addr, regionSize, name } = vm.port;
  const flags = RESOURCE.SYSTEM_RAM | RESOURCE.EXCLUSIVE;
  return k.iomem.request(addr, regionSize, k.iomem.intern(name), flags);
};

/** Memory that was plugged by whoever ran before goes first. */
const takeOver = (k: Kernel, vm: VirtioMemDriver): void => {
  vm.words[VM.PLUGGED] = vm.port.pluggedSize();
  if (vm.words[VM.PLUGGED] === 0) return;
  vm.words[VM.UNPLUG_ALL_REQUIRED] = 1;
  devPrint(k, vm, "unplugging all memory is required");
};

/**
 * Probes device number `device`: prints what it is, reserves its region, registers its memory group and
 * queues the first run of the work item, which reads the configuration. In a kdump kernel it does none of that: the
 * device then only answers whether memory of the crashed kernel is RAM.
 *
 * @returns 0; -EBUSY with two lines in the log when something else has the region, or the error of the group
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_probe
 * @missing devices without feature ACPI_PXM (the node is the port's)
 */
export const virtioMemProbe = (k: Kernel, device: number): number => {
  const vm = k.virtioMem[device]!;
  announce(k, vm);
  if (k.boot.inKdump) return 0;
  warn(k, vm);
  const { layout, words } = vm;
  words[VM.OFFLINE_THRESHOLD] = Math.max(2 * layout.blockSize, OFFLINE_THRESHOLD);
  words[VM.LAST_USABLE] = layout.firstBlock - 1;
  devPrint(k, vm, `memory block size: ${hex(k.blocks.blockSize)}`);
  devPrint(k, vm, `${layout.sbm ? "subblock" : "big block"} size: ${hex(layout.subBlockSize)}`);
  const region = reserve(k, vm);
  if (region === NO_RESOURCE) {
    devPrint(k, vm, "could not reserve device region");
    devPrint(k, vm, "reloading the driver is not supported");
    devPrint(k, vm, `probe with driver virtio_mem failed with error ${ERRNO.EBUSY}`);
    return ERRNO.EBUSY;
  }
  const group = k.groups.register(GROUP.DYNAMIC, vm.port.nodeId, layout.blockSize / k.geometry.pageSize);
  if (group < 0) {
    k.iomem.release(region);
    return group;
  }
  words[VM.GROUP] = group;
  takeOver(k, vm);
  words[VM.READY] = 1;
  words[VM.CONFIG_CHANGED] = 1;
  vm.retry();
  return 0;
};

/** Suspending while memory is plugged. @throws NotModelled always */
export const virtioMemSuspend = (): never => {
  throw new NotModelled("suspend with a virtio-mem device");
};

/** Unloading the driver. @throws NotModelled always */
export const virtioMemRemove = (): never => {
  throw new NotModelled("removal of a virtio-mem driver");
};
