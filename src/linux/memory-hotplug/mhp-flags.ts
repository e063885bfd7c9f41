import type { Kernel } from "../kernel.ts";

/**
 * Flags of add_memory(). The name of the resource travels with them, as its number in the iomem tree times
 * 256, because a call takes four numbers.
 *
 * @source Linux include/linux/memory_hotplug.h, mhp_t
 */
export const MHP = {
  /** Join the new resource with its neighbours. */
  MERGE_RESOURCE: 1,
  /** Put the memmap into the added memory, if the kernel was booted with memmap_on_memory. */
  MEMMAP_ON_MEMORY: 2,
  /** The node argument is the number of a memory group. */
  NID_IS_MGID: 4,
} as const;

export const SYSTEM_RAM_NAME = "System RAM";

/** Flags with the resource's name packed in. */
export const mhpFlags = (k: Kernel, flags: number, name: string = SYSTEM_RAM_NAME): number =>
  flags + k.iomem.intern(name) * 256;

export const mhpHas = (flags: number, flag: number): boolean => ((flags % 256) & flag) !== 0;
export const mhpNameNumber = (flags: number): number => Math.floor(flags / 256);
export const mhpName = (k: Kernel, flags: number): string => k.iomem.nameOf(mhpNameNumber(flags)) ?? "";
