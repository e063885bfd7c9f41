import { memoryBlockSize } from "../../linux/memory-hotplug/block-size.ts";
import type { Machine } from "../../machine/machine.ts";
import { DesignHooks } from "../design/design-hooks.ts";
import type { DesignHost } from "../design/design-host.ts";
import { readLoadedModule } from "../kernel-image/loaded-module.ts";
import type { GuestKernel } from "../td/guest-kernel.ts";
import type { TdGuest } from "../td/td-guest.ts";

/** The driver's name as a module. */
const DRIVER = "virtio_mem";

export interface HookedParts {
  readonly kernel: GuestKernel;
  readonly td: TdGuest;
  readonly host: DesignHost;
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

/**
 * A design's hooks in a guest that stands at its kernel's entry: those in the kernel now, those in the virtio-mem
 * driver when it is loaded.
 *
 * @throws LabError if the kernel lacks a function that the design hooks
 */
export const hookDesign = async ({ kernel, td, host, sync }: HookedParts): Promise<void> => {
  const { control, place } = td;
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
  await hooks.installInKernel(running);
  const loads = running("do_init_module");
  if (!hooks.needsDriver || virtioMem.length === 0 || loads === undefined) return;
  await control.hook(loads, async ({ registers, gdb }) => {
    const read = (address: bigint, length: number) => gdb.readMemory(address, length);
    const module = await readLoadedModule(kernel.types(), read, registers.read("rdi"));
    if (module.name === DRIVER) await hooks.installInDriver((name) => module.symbols.addressOf(name));
    return {};
  });
};
