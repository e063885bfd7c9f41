import { VIRTIO_MEM_REQUEST } from "../../abi/virtio-mem/request.ts";
import { memoryBlockSize } from "../../linux/memory-hotplug/block-size.ts";
import type { Machine } from "../../machine/machine.ts";
import { PAGE_SIZE } from "../../units.ts";
import { DesignHooks } from "../design/design-hooks.ts";
import type { DesignHost } from "../design/design-host.ts";
import { EjectHooks } from "../design/eject-hooks.ts";
import { Call } from "../design/kernel-hooks.ts";
import type { DeviceMirror } from "../devices/device-mirror.ts";
import { DRIVER_WORDS, deviceOfDriver } from "../devices/driver-device.ts";
import { slotOfHandle } from "../faults/acpi-slot.ts";
import { FaultHooks } from "../faults/fault-hooks.ts";
import type { Holds } from "../faults/holds.ts";
import { HookChain } from "../faults/hook-chain.ts";
import { KernelSleep } from "../faults/kernel-sleep.ts";
import { readLoadedModule } from "../kernel-image/loaded-module.ts";
import type { Span } from "../span.ts";
import type { GuestKernel } from "../td/guest-kernel.ts";
import type { TdGuest } from "../td/td-guest.ts";

/** The driver's name as a module, and the function that it sends every request by. */
const DRIVER = "virtio_mem";
const SEND_REQUEST = "virtio_mem_send_request";

export interface HookedParts {
  readonly kernel: GuestKernel;
  readonly td: TdGuest;
  readonly host: DesignHost;
  readonly mirror: DeviceMirror;
  /** Brings what devices did up to date. */
  readonly sync: () => Promise<void>;
  /** Is told of a virtio-mem request that gets no reply, by an address of its device. */
  readonly onNoReply: (addr: number) => void;
  /** Is told of a DIMM that the VMM keeps where the kernel ejects it, because the guest has not released its memory. */
  readonly onHeld: (span: Span) => void;
  /** Where threads are held; left out: nowhere. */
  readonly holds?: Holds | undefined;
}

/** The region of the virtio-mem device that has an address; empty if there is none. */
const regionOf = ({ vmm }: Machine, addr: number): { start: number; size: number } => {
  const device = vmm.devices.find((each) => each.addr <= addr && addr < each.addr + each.regionSize);
  return device === undefined ? { start: 0, size: 0 } : { start: device.addr, size: device.regionSize };
};

/** Finds out whose each UNPLUG_ALL is, where there are several devices. */
const nameUnplugAlls = async (
  { td, mirror }: HookedParts,
  control: HookChain,
  symbol: (name: string) => bigint | undefined,
): Promise<void> => {
  const address = symbol(SEND_REQUEST);
  if (address === undefined) return;
  await control.hook(address, async (cpu) => {
    const call = new Call(cpu, control);
    const [type] = await call.words(call.argument(1), 1);
    if (Number(type! & 0xffffn) !== VIRTIO_MEM_REQUEST.UNPLUG_ALL) return {};
    const device = deviceOfDriver(
      await call.words(call.argument(0), DRIVER_WORDS),
      td.td.machine.vmm.devices,
    );
    if (device >= 0) mirror.expectUnplugAll(device);
    return {};
  });
};

/** Whether a scenario has calls that a design may make answer late. */
const isLate = ({ config: { faults, design } }: Machine): boolean =>
  Object.keys(design.hooks).length > 0 && faults?.rules.some(({ lateNs }) => lateNs > 0) === true;

/** A scenario's faults that the guest's kernel has to be stopped for. */
const faultHooksOf = (
  { kernel, td, mirror, sync, onNoReply }: HookedParts,
  control: HookChain,
): FaultHooks | undefined => {
  const { injector, config } = td.td.machine;
  if (injector === undefined || config.faults === undefined) return undefined;
  return new FaultHooks({
    control,
    plan: config.faults,
    injector,
    mirror,
    onNoReply,
    nameOf: (address) => kernel.symbols.nearest(address - td.place.slide)?.name,
    types: () => kernel.types(),
    sync,
  });
};

/** Where the DIMM of a slot lies. */
const spanOfSlot = ({ vmm }: Machine, slot: number): Span | undefined => {
  if (slot < 0 || slot >= vmm.dimms.count || !vmm.dimms.isPlugged(slot)) return undefined;
  const area = vmm.areaOfSlot(slot);
  return { start: vmm.map.start(area) * PAGE_SIZE, end: vmm.map.end(area) * PAGE_SIZE };
};

/** What stands between ejects and QEMU, on a machine that may have DIMMs. */
const ejectHooksOf = (
  { kernel, td, host, onHeld }: HookedParts,
  control: HookChain,
  running: (name: string) => bigint | undefined,
): EjectHooks | undefined => {
  const { machine } = td.td;
  if (machine.vmm.dimms.count === 0) return undefined;
  return new EjectHooks({
    control,
    host,
    spanOf: (slot) => spanOfSlot(machine, slot),
    isHeld: ({ start, end }) => td.rights.mustBeReleased(start, end),
    onHeld,
    slotOf: (cpu, handle) => slotOfHandle(cpu, handle, kernel.types()),
    afterHook: () => td.applyPageCalls(),
    points: machine.injector?.points,
    sleep: isLate(machine) ? KernelSleep.of(control, running) : undefined,
  });
};

/** The hooks of a design. */
const designHooksOf = (
  { td, host, mirror, sync }: HookedParts,
  control: HookChain,
  running: (name: string) => bigint | undefined,
): DesignHooks => {
  const { machine } = td.td;
  const endOfRam = machine.config.layout.ram.reduce((end, { start, size }) => Math.max(end, start + size), 0);
  return new DesignHooks({
    control,
    host,
    blockBytes: memoryBlockSize({ endOfRam, guest: true }),
    afterHook: () => td.applyPageCalls(),
    // Without an address, the device is meant that an UNPLUG_ALL is about to be sent to.
    regionOf: (addr) => regionOf(machine, addr ?? mirror.unpluggedNext),
    sync,
    points: machine.injector?.points,
    sleep: isLate(machine) ? KernelSleep.of(control, running) : undefined,
  });
};

/**
 * A design's hooks, and those of a scenario's faults, in a guest that stands at its kernel's entry: those in the kernel
 * now, those in the virtio-mem driver when it is loaded.
 *
 * @throws LabError if the kernel lacks a function that the design hooks, or a fault
 */
export const hookDesign = async (parts: HookedParts): Promise<void> => {
  const { kernel, td, holds } = parts;
  const { place } = td;
  const control = new HookChain(td.control);
  const { virtioMem } = td.td.machine.config;
  const running = (name: string): bigint | undefined => {
    const address = kernel.symbol(name);
    return address === undefined ? undefined : address + place.slide;
  };
  const hooks = designHooksOf(parts, control, running);
  const faults = faultHooksOf(parts, control);
  const ejects = ejectHooksOf(parts, control, running);
  // Who is held before a function is held before a design, or a fault, has anything to do with it.
  await holds?.install(control, "kernel", running);
  await hooks.installInKernel(running);
  await ejects?.installGuard(running);
  await faults?.install("kernel", running);
  await ejects?.installVmm(running);
  const loads = running("do_init_module");
  const several = virtioMem.length > 1;
  const needsDriver =
    hooks.needsDriver || faults?.needsDriver === true || several || holds?.needsDriver === true;
  if (!needsDriver || virtioMem.length === 0 || loads === undefined) return;
  await control.hook(loads, async ({ registers, gdb }) => {
    const read = (address: bigint, length: number) => gdb.readMemory(address, length);
    const module = await readLoadedModule(kernel.types(), read, registers.read("rdi"));
    if (module.name !== DRIVER) return {};
    const symbol = (name: string): bigint | undefined => module.symbols.addressOf(name);
    if (several) await nameUnplugAlls(parts, control, symbol);
    await holds?.install(control, "virtio_mem driver", symbol);
    await hooks.installInDriver(symbol);
    await faults?.install("virtio_mem driver", symbol);
    return {};
  });
};
