import type { Procedure } from "../flat/procedure.ts";
import type { Kernel } from "./kernel.ts";

/**
 * A rival way of doing the guest's part: the points where the kernel calls it. A hook that is absent costs
 * nothing. Ranges are byte addresses and byte lengths; results are 0 or a negative errno unless the hook
 * says otherwise. A design keeps no state outside the kernel's.
 */
export interface Design {
  readonly name: string;
  /** One sentence for tables and help. */
  readonly title: string;
  /** Version of the unaccepted-memory table that its stub writes and its kernel reads. */
  readonly tableVersion: 1 | 2;
  /** Whether the stub widens the table over hot-pluggable SRAT ranges. */
  readonly stubScansSrat: boolean;
  /** Firmware declares the hot-plug window as unaccepted memory with the attribute UHP, and the stub knows it. */
  readonly firmwareMarksWindow?: boolean;
  /**
   * Isolating a range takes a listed chunk inside it off the unaccepted list as it is, and accepts one that sticks
   * out wherever in it the pageblock lies. Left out: as released kernels do, a chunk is accepted when its head is met.
   */
  readonly isolatesUnaccepted?: boolean;
  /** Where the platform reaches memory by its mapping, what is accepted or given back outside the direct map gets one for that time. */
  readonly reachesUnmapped?: boolean;
  /** A DIMM whose memory left Linux is not ejected while the design holds it. */
  readonly ejectGuard?: EjectGuard;
  readonly hooks: Hooks;
}

export interface EjectGuard {
  /** Whether memory of [start, start + size) could not be given back. */
  holds(k: Kernel, start: number, size: number): boolean;
  /** Tries again: (start, size). After a negative errno the DIMM stays in its slot. */
  readonly tryAgain: Procedure<Kernel>;
}

type Hook = Procedure<Kernel> | undefined;

export interface Hooks {
  /**
   * add_memory, after the node is online and before memmap and direct mapping: (start, size, 1 if a driver
   * manages the memory).
   */
  readonly addMemory?: Hook;
  /** add_memory failed after addMemory had succeeded: (start, size, 1 if a driver manages the memory). */
  readonly addMemoryFailed?: Hook;
  /** Before the memmap of a block is written into the block itself: (start, memmap bytes). */
  readonly altmapAdd?: Hook;
  /** That block could not be added: (start, memmap bytes). */
  readonly altmapAddFailed?: Hook;
  /** After arch_add_memory and memmap creation, before onlining: (start, size). */
  readonly memoryAdded?: Hook;
  /** remove_memory, before mapping and memmap go: (start, size). */
  readonly removeMemory?: Hook;
  /** After the mapping of a block with altmap went: (start, memmap bytes). */
  readonly altmapRemoved?: Hook;
  /** At the very end of remove_memory: (start, size, 1 if a driver manages the memory). */
  readonly memoryRemoved?: Hook;
  /** MEM_GOING_ONLINE of one memory block; negative errno vetoes: (start, size). */
  readonly goingOnline?: Hook;
  /** Pages of a chunk about to enter the allocator by onlining: (start, size). */
  readonly onlineChunk?: Hook;
  /** Before PLUG is sent; a negative errno keeps it from being sent: (addr, size). */
  readonly virtioPlug?: Hook;
  /** virtio-mem PLUG was acknowledged; an errno that the driver does not know breaks the device: (addr, size). */
  readonly virtioPlugged?: Hook;
  /** Before UNPLUG is sent; a negative errno keeps it from being sent: (addr, size). */
  readonly virtioUnplug?: Hook;
  /** UNPLUG was answered: (addr, size, response type). */
  readonly virtioUnplugAnswered?: Hook;
  /** Before UNPLUG_ALL is sent: (region addr, region size). */
  readonly virtioUnplugAll?: Hook;
  /** UNPLUG_ALL was answered: (region addr, region size, response type). */
  readonly virtioUnplugAllAnswered?: Hook;
  /**
   * virtio-mem is about to hand plugged pages that are offline to the allocator: (start, size). After a negative
   * errno they stay offline.
   */
  readonly virtioOnline?: Hook;
  /**
   * fake_online gives contiguous pages straight back to the buddy lists: (start, size). After a negative errno
   * they stay out of use for good.
   */
  readonly fakeOnlineContiguous?: Hook;
}
