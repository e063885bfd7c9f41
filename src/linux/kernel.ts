import { BLOCKED, type Next, ProcedureTable } from "../flat/procedure.ts";
import type { AcceptingList } from "./accepting-list.ts";
import type { AcpiMemory } from "./acpi-memory/acpi-memory.ts";
import type { BootLayout } from "./boot/boot-layout.ts";
import type { Boundary } from "./boundary.ts";
import type { Platform } from "./coco/platform.ts";
import type { SharedPages } from "./coco/shared-pages.ts";
import type { Design } from "./design.ts";
import type { GuestFaults } from "./fault-points.ts";
import type { Geometry } from "./geometry.ts";
import type { Kexec } from "./kexec/kexec.ts";
import type { Locks } from "./locks.ts";
import type { MemMap } from "./mem-map.ts";
import type { Memblock } from "./memblock.ts";
import type { MemoryBlocks } from "./memory-block.ts";
import type { FirmwareMap } from "./memory-hotplug/firmware-map.ts";
import type { MemoryGroups } from "./memory-hotplug/memory-group.ts";
import type { Zones } from "./page-allocator/zones.ts";
import type { ResourceTree } from "./resource.ts";
import type { StallWatch } from "./stall-watch.ts";
import type { UnacceptedTable } from "./unaccepted-table.ts";
import type { Variant } from "./variant.ts";
import type { VirtioMemDriver } from "./virtio-mem/driver.ts";

export type { Platform } from "./coco/platform.ts";

/** All procedures of the guest kernel and of the designs. */
export const KERNEL_PROCEDURES = new ProcedureTable<Kernel>();

/** What the kernel command line and its build decide. */
export interface KernelOptions {
  /** accept_memory= */
  readonly accept: "lazy" | "eager";
  /** memory_hotplug.memmap_on_memory= */
  readonly memmapOnMemory: boolean;
  /** memhp_default_state= and auto_online_blocks */
  readonly autoOnline: "offline" | "online" | "online_kernel" | "online_movable";
  /** virtio_mem.unplug_online= */
  readonly unplugOnline: boolean;
  /** virtio_mem.force_bbm= and bbm_block_size= (0: not given) */
  readonly forceBbm: boolean;
  readonly bbmBlockSize: number;
  /** Debug messages (pr_debug) are printed, as with dyndbg=+p. */
  readonly dyndbg?: boolean;
}

/** A line of the kernel log, with the virtual time at which it was printed. */
export type LogSink = (line: string) => void;

/** The guest kernel: everything its procedures work on. Mutable state is in the typed arrays of its members. */
export interface Kernel {
  readonly geometry: Geometry;
  readonly variant: Variant;
  readonly options: KernelOptions;
  readonly hw: Boundary;
  readonly platform: Platform;
  /** Another one where machines that booted alike are one machine. */
  design: Design;
  readonly mm: MemMap;
  readonly zones: Zones;
  readonly memblock: Memblock;
  /** What firmware and loader left in memory; read while booting only. */
  readonly boot: BootLayout;
  /** Absent when firmware declared nothing unaccepted, or when the kernel dropped the table. */
  readonly table: UnacceptedTable | undefined;
  readonly accepting: AcceptingList;
  /** What the kernel maps shared with its host. */
  readonly shared: SharedPages;
  /** What is loaded to be started next. */
  readonly kexec: Kexec;
  readonly iomem: ResourceTree;
  readonly firmwareMap: FirmwareMap;
  readonly blocks: MemoryBlocks;
  readonly groups: MemoryGroups;
  /** One driver instance a device of hw.virtioMem, in the same order. */
  readonly virtioMem: readonly VirtioMemDriver[];
  /** Absent when hw.acpi is. */
  readonly acpiMemory: AcpiMemory | undefined;
  readonly locks: Locks;
  readonly cpus: Cpus;
  readonly printk: LogSink;
  /** Makes points of the kernel fail; absent: nothing fails of itself. */
  readonly faults?: GuestFaults | undefined;
  /** Looks at vCPUs that stand still; absent: nobody does. */
  readonly stalls?: StallWatch | undefined;
}

/** Per-vCPU facts that decide what may run next. */
export class Cpus {
  /** Task number + 1 that has interrupts off on this vCPU; 0: none. Nothing else runs there meanwhile. */
  readonly irqsOff: Int32Array;
  /** [0]: 1 after a panic: nothing runs any more. [1]: TDX CONFIG_FLAGS, low 32 bits; [2]: GPA width: as read at boot. */
  readonly words: Float64Array;
  panicMessage = "";

  constructor(vcpus: number) {
    this.irqsOff = new Int32Array(vcpus);
    this.words = new Float64Array(3);
  }

  get panicked(): boolean {
    return this.words[0] !== 0;
  }

  get configFlags(): number {
    return this.words[1]!;
  }

  set configFlags(value: number) {
    this.words[1] = value;
  }

  /** Bits of a guest-physical address, the shared bit among them. */
  get gpaWidth(): number {
    return this.words[2]!;
  }

  set gpaWidth(bits: number) {
    this.words[2] = bits;
  }
}

/** panic(): prints, stops the machine, and is the answer of the step that calls it. */
export const panic = (k: Kernel, message: string): Next => {
  k.printk(`Kernel panic - not syncing: ${message}`);
  k.cpus.words[0] = 1;
  k.cpus.panicMessage = message;
  return BLOCKED;
};
