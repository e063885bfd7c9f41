import type { Kernel } from "../kernel.ts";
import type { VirtioMemDriver } from "./driver.ts";

/** dev_info() and its like: the line with the driver's and the device's name before it. */
export const devPrint = (k: Kernel, vm: VirtioMemDriver, line: string): void =>
  k.printk(`virtio_mem ${vm.port.name}: ${line}`);

export const hex = (n: number): string => `0x${n.toString(16)}`;
