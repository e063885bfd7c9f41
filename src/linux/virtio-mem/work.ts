import type { Frame } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { bbmPlug, bbmUnplug } from "./bbm.ts";
import { cleanupPending } from "./cleanup.ts";
import { devPrint, hex } from "./dev-printk.ts";
import { RETRY_MAX_MS, RETRY_MIN_MS, type VirtioMemDriver, VM } from "./driver.ts";
import { unplugAllRequest } from "./request.ts";
import { sbmPlug } from "./sbm-plug.ts";
import { sbmUnplug } from "./sbm-unplug.ts";

/** Last block that lies in the usable region and can be addressed; below the first block if none does. */
const lastUsable = (k: Kernel, vm: VirtioMemDriver): number => {
  const end = Math.min(vm.port.addr + vm.port.usableRegionSize(), k.blocks.pluggableEnd);
  return Math.floor(end / vm.layout.blockSize) - 1;
};

/** virtio_mem_refresh_config(): what the device wants now. */
const refreshConfig = (k: Kernel, vm: VirtioMemDriver): void => {
  const plugged = vm.port.pluggedSize();
  if (plugged !== vm.words[VM.PLUGGED] && !vm.has(VM.WARNED_PLUGGED)) {
    k.printk(
      "WARNING: drivers/virtio/virtio_mem.c: the device's plugged size is not what the driver plugged",
    );
    vm.words[VM.WARNED_PLUGGED] = 1;
  }
  vm.words[VM.PLUGGED] = plugged;
  vm.words[VM.LAST_USABLE] = lastUsable(k, vm);
  vm.words[VM.REQUESTED] = vm.port.requestedSize();
  devPrint(k, vm, `plugged size: ${hex(plugged)}`);
  devPrint(k, vm, `requested size: ${hex(vm.words[VM.REQUESTED]!)}`);
};

/** The device changed its configuration: an interrupt. */
export const virtioMemConfigChanged = (k: Kernel, device: number): void => {
  const vm = k.virtioMem[device]!;
  if (!vm.has(VM.READY)) return;
  vm.words[VM.CONFIG_CHANGED] = 1;
  vm.retry();
};

/** The retry timer of a device ran out: the work is queued, and the next delay is twice as long. */
export const virtioMemTimerExpired = (k: Kernel, device: number): void => {
  const vm = k.virtioMem[device]!;
  vm.words[VM.TIMER_MS] = 0;
  vm.retry();
  vm.words[VM.RETRY_MS] = Math.min(vm.words[VM.RETRY_MS]! * 2, RETRY_MAX_MS);
};

const { v, at, define } = KERNEL_PROCEDURES.declare("virtio_mem_run_wq", {
  args: ["device"],
  locals: [],
  steps: ["enter", "again", "config", "cleaned", "resized"],
});

/** What becomes of the answer of a run. */
const settle = (k: Kernel, f: Frame<Kernel>, error: number): number => {
  const vm = k.virtioMem[f.get(v.device)]!;
  switch (error) {
    case ERRNO.EAGAIN:
      return at.again;
    case 0:
      vm.words[VM.RETRY_MS] = RETRY_MIN_MS;
      break;
    case ERRNO.ENOSPC:
      break;
    case ERRNO.ETXTBSY:
    case ERRNO.EBUSY:
    case ERRNO.ENOMEM:
      vm.words[VM.TIMER_MS] = vm.words[VM.RETRY_MS]!;
      vm.words[VM.TIMER_ARMINGS]!++;
      break;
    default:
      devPrint(k, vm, `unknown error, marking device broken: ${error}`);
      vm.words[VM.BROKEN] = 1;
  }
  vm.words[VM.WORK_ACTIVE] = 0;
  return f.returns(error);
};

/**
 * The work item of one device: (device). The machine starts it when VM.WORK_PENDING is set, on one task at a
 * time a device.
 *
 * Leftovers of an earlier driver are unplugged first; a changed configuration is read; blocks that errors
 * left behind are tidied up; then the difference between the requested and the plugged size is plugged or
 * unplugged. Failures that may pass arm the retry timer: VM.TIMER_MS holds the delay, which the machine turns into
 * time and answers with virtioMemTimerExpired(). An error that the driver does not know breaks the device for
 * ever. Returns the last answer, for reports.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_run_wq
 */
export const virtioMemRunWork = define({
  enter: (k, f) => {
    const vm = k.virtioMem[f.get(v.device)]!;
    vm.words[VM.WORK_PENDING] = 0;
    vm.words[VM.TIMER_MS] = 0;
    if (vm.has(VM.BROKEN)) return f.returns(ERRNO.EINVAL);
    vm.words[VM.WORK_ACTIVE] = 1;
    return at.again;
  },
  again: (k, f) => {
    const device = f.get(v.device);
    const required = k.virtioMem[device]!.has(VM.UNPLUG_ALL_REQUIRED);
    return f.callIf(required ? unplugAllRequest : undefined, at.config, device);
  },
  config: (k, f) => {
    const vm = k.virtioMem[f.get(v.device)]!;
    if (vm.has(VM.CONFIG_CHANGED)) {
      vm.words[VM.CONFIG_CHANGED] = 0;
      refreshConfig(k, vm);
    }
    if (f.result !== 0) return settle(k, f, f.result);
    return f.call(cleanupPending, at.cleaned, f.get(v.device));
  },
  cleaned: (k, f) => {
    if (f.result !== 0) return settle(k, f, f.result);
    const device = f.get(v.device);
    const vm = k.virtioMem[device]!;
    const diff = vm.words[VM.REQUESTED]! - vm.words[VM.PLUGGED]!;
    const { sbm } = vm.layout;
    if (diff > 0) return f.call(sbm ? sbmPlug : bbmPlug, at.resized, device, diff);
    if (diff < 0) return f.call(sbm ? sbmUnplug : bbmUnplug, at.resized, device, -diff);
    return at.resized;
  },
  resized: (k, f) => {
    const { layout, words } = k.virtioMem[f.get(v.device)]!;
    const waiting = layout.sbm && words[VM.HAVE_UNPLUGGED_MB] !== 0;
    return settle(k, f, f.result === 0 && waiting ? ERRNO.EBUSY : f.result);
  },
});
