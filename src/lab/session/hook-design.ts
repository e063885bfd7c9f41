import { memoryBlockSize } from "../../linux/memory-hotplug/block-size.ts";
import type { Machine } from "../../machine/machine.ts";
import { DesignHooks } from "../design/design-hooks.ts";
import type { DesignHost } from "../design/design-host.ts";
import type { DeviceMirror } from "../devices/device-mirror.ts";
import { FaultHooks } from "../faults/fault-hooks.ts";
import { HookChain } from "../faults/hook-chain.ts";
import { readLoadedModule } from "../kernel-image/loaded-module.ts";
import type { GuestKernel } from "../td/guest-kernel.ts";
import type { TdGuest } from "../td/td-guest.ts";

/** The driver's name as a module. */
const DRIVER = "virtio_mem";

export interface HookedParts {
  readonly kernel: GuestKernel;
  readonly td: TdGuest;
  readonly host: DesignHost;
  readonly mirror: DeviceMirror;
  /** Brings what devices did up to date. */
  readonly sync: () => Promise<void>;
}

/** The region of the virtio-mem device that has an address, or of the first one; empty if there is none. */
const regionOf = ({ vmm }: Machine, addr: number | undefined): { start: number; size: number } => {
  const device = vmm.devices.find(
    (each) => addr === undefined || (each.addr <= addr && addr < each.addr + each.regionSize),
  );
  return device === undefined ? { start: 0, size: 0 } : { start: device.addr, size: device.regionSize };
};

/** A scenario's faults that the guest's kernel has to be stopped for. */
const faultHooksOf = (
  { kernel, td, mirror, sync }: HookedParts,
  control: HookChain,
): FaultHooks | undefined => {
  const { injector, config } = td.td.machine;
  if (injector === undefined || config.faults === undefined) return undefined;
  return new FaultHooks({
    control,
    plan: config.faults,
    injector,
    mirror,
    types: () => kernel.types(),
    sync,
  });
};

/**
 * A design's hooks, and those of a scenario's faults, in a guest that stands at its kernel's entry: those in the kernel
 * now, those in the virtio-mem driver when it is loaded.
 *
 * @throws LabError if the kernel lacks a function that the design hooks, or a fault
 */
export const hookDesign = async (parts: HookedParts): Promise<void> => {
  const { kernel, td, host, sync } = parts;
  const { place } = td;
  const control = new HookChain(td.control);
  const { machine } = td.td;
  const { layout, virtioMem } = machine.config;
  const ramEnd = layout.ram.reduce((end, { start, size }) => Math.max(end, start + size), 0);
  const hooks = new DesignHooks({
    control,
    host,
    blockBytes: memoryBlockSize({ endOfRam: ramEnd, guest: true }),
    afterHook: () => td.applyPageCalls(),
    regionOf: (addr) => regionOf(machine, addr),
    sync,
  });
  const running = (name: string): bigint | undefined => {
    const address = kernel.symbol(name);
    return address === undefined ? undefined : address + place.slide;
  };
  const faults = faultHooksOf(parts, control);
  await hooks.installInKernel(running);
  await faults?.install("kernel", running);
  const loads = running("do_init_module");
  const needsDriver = hooks.needsDriver || faults?.needsDriver === true;
  if (!needsDriver || virtioMem.length === 0 || loads === undefined) return;
  await control.hook(loads, async ({ registers, gdb }) => {
    const read = (address: bigint, length: number) => gdb.readMemory(address, length);
    const module = await readLoadedModule(kernel.types(), read, registers.read("rdi"));
    if (module.name !== DRIVER) return {};
    const symbol = (name: string): bigint | undefined => module.symbols.addressOf(name);
    await hooks.installInDriver(symbol);
    await faults?.install("virtio_mem driver", symbol);
    return {};
  });
};
