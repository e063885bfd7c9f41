import type { Kernel } from "../../kernel.ts";
import { run } from "../../testing/fake-kernel.ts";
import { addMemory } from "../add-memory.ts";
import { storeBlockState } from "../block-sysfs.ts";
import { mhpFlags } from "../mhp-flags.ts";
import { removeMemory } from "../remove-memory.ts";
import { loggedHooks } from "./hook-log.ts";
import { type HotplugKernelOptions, hotplugKernel } from "./hotplug-kernel.ts";

export const GIB = 2 ** 30;
export const BLOCK_SIZE = 2 ** 27;
export const BASE = 8 * GIB;
export const FIRST = BASE / BLOCK_SIZE;
export const DRIVER = "System RAM (virtio_mem)";

export const start = (options: Partial<HotplugKernelOptions> = {}) =>
  hotplugKernel({
    top: 64 * GIB,
    design: loggedHooks,
    ...options,
    options: { dyndbg: true, ...options.options },
  });
export const add = (k: Kernel, blocks = 1, flags = 0, name = "System RAM", at = BASE): number =>
  run(k, addMemory, 0, at, blocks * BLOCK_SIZE, mhpFlags(k, flags, name));
export const remove = (k: Kernel, blocks = 1): number => run(k, removeMemory, BASE, blocks * BLOCK_SIZE);
export const store = (k: Kernel, block: number, type: number): number => run(k, storeBlockState, block, type);
export const state = (k: Kernel, block = FIRST): number => k.blocks.stateOf(block);
export const total = (k: Kernel) => ({
  managed: k.zones.sum(k.zones.managed),
  present: k.zones.sum(k.zones.present),
  free: k.zones.sum(k.zones.free),
});
