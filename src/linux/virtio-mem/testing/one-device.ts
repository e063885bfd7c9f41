import { MMOP } from "../../memory-block.ts";
import { type HotplugKernelOptions, hotplugKernel } from "../../memory-hotplug/testing/hotplug-kernel.ts";
import { run } from "../../testing/fake-kernel.ts";
import { virtioMemProbe } from "../probe.ts";
import { virtioMemConfigChanged, virtioMemRunWork } from "../work.ts";
import { FakeVirtioMem } from "./fake-device.ts";

export const GIB = 2 ** 30;
export const MIB = 2 ** 20;
export const REGION = 8 * GIB;
/** Linux memory block and number of the first one of the region. */
export const BLOCK_SIZE = 2 ** 27;
export const FIRST = REGION / BLOCK_SIZE;

export interface OneDeviceOptions extends Partial<HotplugKernelOptions> {
  readonly regionSize?: number;
  readonly deviceBlock?: number;
  readonly online?: number;
  readonly probe?: boolean;
}

/** A kernel with one virtio-mem device at 8 GiB, probed; added memory goes online. */
export const oneDevice = (options: OneDeviceOptions = {}) => {
  const device = new FakeVirtioMem(REGION, options.regionSize ?? 4 * GIB, options.deviceBlock ?? 2 * MIB);
  const fake = hotplugKernel({ top: 64 * GIB, devices: [device], ...options });
  const { k } = fake;
  k.blocks.autoOnline = options.online ?? MMOP.ONLINE;
  const vm = k.virtioMem[0]!;
  if (options.probe !== false) virtioMemProbe(k, 0);
  const work = (): number => run(k, virtioMemRunWork, 0);
  const resize = (bytes: number): number => {
    device.requested = bytes;
    virtioMemConfigChanged(k, 0);
    return work();
  };
  return { ...fake, device, vm, work, resize };
};
